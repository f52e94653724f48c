using System.Net;
using Ha.Tests.Forwarding;

namespace Ha.Tests.OnTheWire;

/// <summary>A connection between the nodes that is cut, at every byte: nobody is told that half of something is all.</summary>
public sealed class AnswerCutTests
{
    private const int Size = 20;

    /// <summary>Of HTTP/2 (RFC 9113 section 7).</summary>
    private const long InternalError = 2;

    public static TheoryData<Dialect, Framing> Ways => Every.Pair(Enum.GetValues<Dialect>(), Enum.GetValues<Framing>());

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task An_answer_cut_at_every_boundary_is_never_taken_for_whole(Dialect dialect, Framing framing)
    {
        var down = new ArmedFlow();
        await using var pair = await WirePair.StartAsync(dialect, _ => (OpenFlow.Instance, down));
        var target = AnswerApp.Target(Size, framing, Writing.Pieces);
        using var first = await pair.Client.AskAsync(HttpMethod.Post, target, []);
        var (length, asked) = (down.Passed, 1);
        var head = length - (framing == Framing.Length ? Size : ChunkedSize);
        foreach (var cut in new[] { Cut.Finish, Cut.Reset })
        {
            for (var at = 0L; at < length; at++)
            {
                down.CutAfter(at, cut);
                var outcome = await OutcomeAsync(pair.Client, target);
                Assert.False(down.IsArmed);
                Assert.Equal(++asked, pair.App.Executed);
                Assert.True(
                    outcome is "outcome unknown" || (at >= head && outcome is "broken"),
                    $"{cut} after {at} of {length} bytes, {head} of them headers: {outcome}");
            }
        }
    }

    [Theory]
    [InlineData(false, 20)]
    [InlineData(true, 20)]
    [InlineData(false, 100_000)]
    [InlineData(true, 100_000)]
    public async Task A_request_cut_at_every_boundary_is_never_acknowledged(bool chunked, int size)
    {
        var up = new ArmedFlow();
        await using var pair = await WirePair.StartAsync(Dialect.KeepAlive, _ => (up, OpenFlow.Instance));
        var target = AnswerApp.Target(Size);
        var body = AnswerApp.Expected(size).ToArray();
        using var first = await pair.Client.AskAsync(HttpMethod.Post, target, body, chunked);
        var length = up.Passed;

        // Every byte of the headers and of a small body, and some of a large one.
        var step = length < 1000 ? 1 : length / 40;
        foreach (var cut in new[] { Cut.Finish, Cut.Reset })
        {
            for (var at = 0L; at < length; at += at < 600 ? 1 : step)
            {
                up.CutAfter(at, cut);
                using var answer = await pair.Client.AskAsync(HttpMethod.Post, target, body, chunked);
                Assert.False(up.IsArmed);
                var outcome = await OutcomeOfAsync(answer);
                Assert.True(outcome is "outcome unknown", $"{cut} after {at} of {length} bytes: {outcome}");

                // The rest would pass now: a second copy of the request would be executed.
                Assert.Equal(1, pair.App.Executed);
            }
        }

        using var last = await pair.Client.AskAsync(HttpMethod.Post, target, body, chunked);
        await AnswerPiecesTests.AssertWholeAsync(last, Size, "after all the cuts");
    }

    // Twenty bytes in pieces of 6, 7 and 7, and the end.
    private static int ChunkedSize => "6\r\n\r\n".Length + "7\r\n\r\n".Length + "7\r\n\r\n".Length + "0\r\n\r\n".Length + Size;

    private static async Task<string> OutcomeAsync(WireClient client, string target)
    {
        try
        {
            using var answer = await client.AskAsync(HttpMethod.Post, target, []);
            return await OutcomeOfAsync(answer);
        }
        catch (HttpRequestException failure)
        {
            // A stream that ends with NO_ERROR or CANCEL is the end of a whole answer to some clients.
            return failure.InnerException is HttpProtocolException { ErrorCode: not InternalError } reset
                ? $"reset with {reset.ErrorCode}"
                : "broken";
        }
    }

    private static async Task<string> OutcomeOfAsync(HttpResponseMessage answer) =>
        answer.StatusCode == HttpStatusCode.BadGateway && answer.Header("X-Base-Not-Executed") is null
            ? await answer.ErrorAsync() ?? "no error"
            : $"{(int)answer.StatusCode}";
}
