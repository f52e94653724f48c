using Microsoft.AspNetCore.Builder;

namespace Ha.Tests.Forwarding;

/// <summary>What a client gains that says what only nodes say: nothing.</summary>
public sealed class OutsiderTests(SmugglingTests.Pair pair) : IClassFixture<SmugglingTests.Pair>
{
    private const string All = "Host, Via, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Base-Forwarded-By, Content-Length, Transfer-Encoding";

    // Without "close" among them, for Kestrel shows that one alone.
    [Theory]
    [InlineData("Host")]
    [InlineData("Via")]
    [InlineData("X-Forwarded-For")]
    [InlineData("X-Forwarded-Proto, x-forwarded-host")]
    [InlineData("X-Base-Forwarded-By")]
    [InlineData("Content-Length")]
    [InlineData("content-length, transfer-encoding")]
    [InlineData(All)]
    public async Task What_a_proxy_must_say_stays_when_Connection_names_it(string options)
    {
        foreach (var framing in new[] { "Content-Length: 4\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n" })
        {
            await pair.AskOpenAsync(
                $"POST /x HTTP/1.1\r\nHost: shop.example\r\nConnection: {options}\r\nVia: 1.0 front\r\nX-Forwarded-For: 1.2.3.4\r\n"
                + "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n" + framing);

            var heard = WireRequest.Read(Assert.Single(pair.Heard));
            Assert.Equal((true, "body"), (heard.Complete, heard.Body));
            Assert.Equal(
                "shop.example; 1.0 front, 1.1 follower; 1.2.3.4, 127.0.0.1; https, http; a, shop.example; follower",
                string.Join("; ", new[] { "Host", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Base-Forwarded-By" }.Select(name => heard.Headers[name])));
        }
    }

    [Theory]
    [InlineData("X-Base-Forwarded-By: somebody", 503)]
    [InlineData("X-Base-Forwarded-By: leader", 503)]
    [InlineData("X-Base-Forwarded-By:", 503)]
    [InlineData("x-base-forwarded-by: a, \"b\"\r\nX-Base-Forwarded-By: c", 503)]
    [InlineData("X-Base-Forwarded-By: somebody\r\nConnection: X-Base-Forwarded-By", 503)]
    [InlineData("X-Base-Forwarded-By: somebody\r\nX-Base-Forward: proxy", 503)]
    [InlineData("X-Base-Forwarded-By: follower", 508)]
    [InlineData("X-Base-Forwarded-By: a\r\nX-Base-Forwarded-By: follower", 508)]
    public async Task A_hop_mark_of_an_outsider_is_refused_by_a_follower_and_goes_no_further(string mark, int status)
    {
        var answer = await pair.AskOpenAsync($"POST /x HTTP/1.1\r\nHost: a\r\n{mark}\r\nContent-Length: 0\r\n\r\n");

        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.Empty(pair.Heard);
        Assert.Equal(0, pair.RunByFollower);
    }

    [Fact]
    public async Task A_hop_mark_of_an_outsider_changes_nothing_at_the_leader()
    {
        var run = 0;
        await using var leader = await TestNode.LeaderAsync(app => app.MapPost("/x", () => Interlocked.Increment(ref run)));

        var plain = await AskAsync(leader, "X-Other: somebody");
        var marked = await AskAsync(leader, "X-Base-Forwarded-By: somebody");
        var looped = await AskAsync(leader, "X-Base-Forwarded-By: leader");

        Assert.StartsWith("HTTP/1.1 200 ", plain, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 ", marked, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 508 ", looped, StringComparison.Ordinal);
        Assert.Equal(2, run);
    }

    private static Task<string> AskAsync(TestNode node, string field) =>
        RawConnection.AskAsync(node.Port, $"POST /x HTTP/1.1\r\nHost: a\r\n{field}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}
