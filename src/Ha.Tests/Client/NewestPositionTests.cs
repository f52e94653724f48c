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
    public async Task Position_stays_inside_the_cluster_and_the_callers_own_stands()
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(Positioned(Position(7, 100)));
        using var write = await cluster.Client.PostAsync("/notes", content: null);
        cluster.LedBy("http://elsewhere");
        cluster.On("http://elsewhere", Ok());
        cluster.On(A, ToLeader("http://elsewhere"));
        cluster.On(B, ToLeader("http://elsewhere"));
        cluster.On(C, ToLeader("http://elsewhere"));
        cluster.Forget();
        using var read = await cluster.Client.GetAsync("/notes");
        Assert.Equal(HttpStatusCode.OK, read.StatusCode);
        Assert.NotNull(cluster.Log[0].Header("X-Base-Position"));
        Assert.Equal("http://elsewhere", cluster.Path[^1]);
        Assert.Null(cluster.Log[^1].Header("X-Base-Position"));

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
        position.Raise(Position(7, 300));
        position.Raise(Position(7, 200));
        Assert.Equal(Position(7, 300), position.Newest);
        position.Raise(Position(8, 100));
        Assert.Equal(Position(8, 100), position.Newest);
        position.Raise("");
        position.Raise(new string('A', 201));
        Assert.Equal(Position(8, 100), position.Newest);

        // Of a later version nothing is known: the last word counts.
        position.Raise("not one of version 1");
        Assert.Equal("not one of version 1", position.Newest);
        position.Raise(Position(1, 1));
        Assert.Equal(Position(1, 1), position.Newest);
        position.Raise(Position(0, 1, version: 2));
        Assert.Equal(Position(0, 1, version: 2), position.Newest);
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
