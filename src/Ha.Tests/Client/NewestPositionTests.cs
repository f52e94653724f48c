using System.Buffers.Binary;
using System.Buffers.Text;
using System.Net;
using Ha.Client.Routing;
using static Ha.Tests.Client.ScriptedCluster;

namespace Ha.Tests.Client;

public class NewestPositionTests
{
    [Fact]
    public async Task Position_of_a_write_goes_along_with_later_reads()
    {
        using var cluster = new ScriptedCluster();
        var (first, second) = (Position(7, 100), Position(7, 200));
        cluster.Everywhere(Positioned(first), Positioned(Position(9, 1)), Positioned(second), Positioned(Position(9, 2)));
        using var write = await cluster.Client.PostAsync("/notes", content: null);
        await cluster.Client.GetStringAsync("/notes");
        using var next = await cluster.Client.PostAsync("/notes", content: null);
        await cluster.Client.GetStringAsync("/notes");
        Assert.Equal([null, first, null, second], cluster.Log.Select(sent => sent.Header("X-Base-Position")));
    }

    [Fact]
    public async Task Position_of_a_leader_that_is_not_one_of_the_nodes_counts_and_goes_there_too()
    {
        using var cluster = new ScriptedCluster();
        var position = Position(7, 100);
        cluster.LedBy("http://elsewhere");
        cluster.On("http://elsewhere", Positioned(position));
        using var write = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal("http://elsewhere", cluster.Path[^1]);
        cluster.Everywhere(ToLeader("http://elsewhere"));
        cluster.On("http://elsewhere", Ok());
        cluster.Forget();
        using var read = await cluster.Client.GetAsync("/notes");
        Assert.Equal(HttpStatusCode.OK, read.StatusCode);
        Assert.Equal("http://elsewhere", cluster.Path[^1]);
        Assert.Equal([position, position], cluster.Log.Select(sent => sent.Header("X-Base-Position")));
    }

    [Fact]
    public async Task Later_write_has_the_later_position_though_the_cluster_counts_anew()
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(Positioned(Position(7, 300)), Positioned(Position(0, 310)), Ok(A));
        using var first = await cluster.Client.PostAsync("/notes", content: null);
        using var second = await cluster.Client.PostAsync("/notes", content: null);
        await cluster.Client.GetStringAsync("/notes");
        Assert.Equal(Position(0, 310), cluster.Log[^1].Header("X-Base-Position"));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(0)]
    public async Task Position_of_an_epoch_that_is_forgotten_is_forgotten_too(long epoch)
    {
        using var cluster = new ScriptedCluster();
        cluster.LedBy(A, 7);
        cluster.On(A, Positioned(Position(7, 300)));
        using var write = await cluster.Client.PostAsync("/notes", content: null);
        cluster.LedBy(B, epoch);
        for (var i = 0; i < 6; i++)
        {
            await cluster.Client.GetStringAsync("/notes");
            cluster.Time.Advance(TimeSpan.FromSeconds(2));
        }

        cluster.Forget();
        await cluster.Client.GetStringAsync("/notes");
        Assert.Null(cluster.Log[0].Header("X-Base-Position"));
    }

    [Fact]
    public async Task Position_of_the_caller_stands()
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(Positioned(Position(7, 100)));
        using var write = await cluster.Client.PostAsync("/notes", content: null);
        cluster.Everywhere(Ok(A));
        cluster.Forget();
        using var own = new HttpRequestMessage(HttpMethod.Get, "/notes") { Headers = { { "X-Base-Position", "own" } } };
        using var answer = await cluster.Client.SendAsync(own);
        Assert.Equal("own", cluster.Log[0].Header("X-Base-Position"));
    }

    [Fact]
    public void Answer_that_was_overtaken_does_not_take_the_position_back()
    {
        var position = new NewestPosition();
        position.Take(Position(7, 300), before: null);
        position.Take(Position(7, 200), before: null);
        Assert.Equal(Position(7, 300), position.Newest);
        position.Take(Position(8, 100), before: null);
        position.Take("", position.Newest);
        position.Take(new string('A', 201), position.Newest);
        Assert.Equal(Position(8, 100), position.Newest);

        // Of a later version nothing is known: the last word counts.
        position.Take("not one of version 1", before: null);
        Assert.Equal("not one of version 1", position.Newest);
        position.Take(Position(1, 1), before: null);
        Assert.Equal(Position(1, 1), position.Newest);
        position.Take(Position(0, 1, version: 2), before: null);
        Assert.Equal(Position(0, 1, version: 2), position.Newest);
    }

    [Fact]
    public void Only_positions_above_the_epoch_that_the_cluster_counts_from_are_forgotten()
    {
        var position = new NewestPosition();
        position.Take(Position(7, 300), before: null);
        position.Forget(above: 7);
        Assert.Equal(Position(7, 300), position.Newest);
        position.Forget(above: 6);
        Assert.Null(position.Newest);
        position.Take("not one of version 1", before: null);
        position.Forget(above: 6);
        Assert.Null(position.Newest);
    }

    private static Func<HttpRequestMessage, HttpResponseMessage> Positioned(string position) => request =>
    {
        var response = Ok(A)(request);
        response.Headers.Add("X-Base-Position", position);
        return response;
    };

    private static string Position(long epoch, long number, byte version = 1)
    {
        var bytes = new byte[2 + 3 + 16 + 32];
        (bytes[0], bytes[1]) = (version, 3);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(5), epoch);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(13), number);
        return Base64Url.EncodeToString(bytes);
    }
}
