using System.Net;
using Ha.Tests.Forwarding;

namespace Ha.Tests.OnTheWire;

/// <summary>An answer that reaches the follower in pieces reaches the client whole, and the next one after it.</summary>
public sealed class AnswerPiecesTests
{
    private static readonly int[] _sizes =
        [0, 1, 2, 100, 2000, 4095, 4096, 4097, 16 * 1024, 65535, 65536, 65537, 100_000, 1024 * 1024, 2 * 1024 * 1024];

    public static TheoryData<Dialect, Framing> Ways => Every.Pair(Enum.GetValues<Dialect>(), Enum.GetValues<Framing>());

    public static TheoryData<Dialect> Dialects => [.. Enum.GetValues<Dialect>()];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Answers_of_every_size_and_writing_arrive_byte_for_byte(Dialect dialect, Framing framing)
    {
        await using var pair = await WirePair.StartAsync(dialect, InPieces);
        var asked = 0;
        foreach (var size in _sizes)
        {
            foreach (var writing in Enum.GetValues<Writing>())
            {
                using var answer = await pair.Client.AskAsync(HttpMethod.Post, AnswerApp.Target(size, framing, writing), []);
                await AssertWholeAsync(answer, size, $"{size} bytes, {writing}");
                asked++;
            }
        }

        Assert.Equal(asked, pair.App.Executed);
        Assert.Equal(WireClient.KeepsConnection(dialect) ? 1 : asked, pair.Client.Connections);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task An_answer_split_at_every_boundary_arrives_whole(Dialect dialect, Framing framing)
    {
        var down = new ArmedFlow();
        await using var pair = await WirePair.StartAsync(dialect, _ => (OpenFlow.Instance, down));
        const int Size = 20;
        var target = AnswerApp.Target(Size, framing, Writing.Pieces);
        using var first = await pair.Client.AskAsync(HttpMethod.Post, target, []);
        var length = down.Passed;
        for (var at = 1L; at < length; at++)
        {
            down.SplitAfter(at);
            using var answer = await pair.Client.AskAsync(HttpMethod.Post, target, []);
            await AssertWholeAsync(answer, Size, $"split after {at} of {length} bytes");
            Assert.False(down.IsArmed);
        }

        Assert.Equal(length, pair.App.Executed);
        Assert.Equal(1, pair.Relay.Connections);
        Assert.Equal(WireClient.KeepsConnection(dialect) ? 1 : length, pair.Client.Connections);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_piece_is_with_the_client_before_the_next_is_written(Dialect dialect, Framing framing)
    {
        await using var pair = await WirePair.StartAsync(dialect, static _ => (OpenFlow.Instance, OpenFlow.Instance));
        using var answer = await pair.Client.BeginAsync(HttpMethod.Post, $"/steps/{framing}");
        await using var body = await answer.Content.ReadAsStreamAsync();

        Assert.Equal(1, await body.ReadAsync(new byte[2]));
        pair.App.FirstPieceSeen.SetResult();
        Assert.Equal(1, await body.ReadAsync(new byte[2]));
        Assert.Equal(0, await body.ReadAsync(new byte[2]));
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task Answers_without_a_body_arrive_and_leave_the_connection_as_it_was(Dialect dialect)
    {
        await using var pair = await WirePair.StartAsync(dialect, InPieces);
        foreach (var size in new[] { 0, 100, 100_000 })
        {
            using var head = await pair.Client.AskAsync(HttpMethod.Head, AnswerApp.Target(size));
            Assert.Equal((HttpStatusCode.OK, size), (head.StatusCode, head.Content.Headers.ContentLength));
            Assert.Empty(await head.Content.ReadAsByteArrayAsync());

            using var nothing = await pair.Client.AskAsync(HttpMethod.Post, "/nothing", [1]);
            Assert.Equal(HttpStatusCode.NoContent, nothing.StatusCode);

            using var answer = await pair.Client.AskAsync(HttpMethod.Get, AnswerApp.Target(size));
            await AssertWholeAsync(answer, size, $"after a HEAD of {size} bytes");
        }

        Assert.Equal(WireClient.KeepsConnection(dialect) ? 1 : 9, pair.Client.Connections);
    }

    /// <summary>The body is whole and the way through the nodes shows in the headers.</summary>
    internal static async Task AssertWholeAsync(HttpResponseMessage answer, int size, string what)
    {
        Assert.True(answer.StatusCode == HttpStatusCode.OK, $"{what}: {(int)answer.StatusCode}");
        Assert.Equal("1.1 follower", answer.Header("Via"));
        var body = await answer.Content.ReadAsByteArrayAsync();
        Assert.True(body.Length == size, $"{what}: {body.Length} bytes");
        Assert.True(AnswerApp.Expected(size).SequenceEqual(body), $"{what}: other bytes");
    }

    private static (IFlow Up, IFlow Down) InPieces(int connection) => (OpenFlow.Instance, new PiecesFlow(seed: connection));
}
