using System.Net;
using Ha.Tests.Client;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Ha.Tests.Forwarding;

/// <summary>
/// Over HTTP/2 a leader may declare a request unprocessed. The transport would send it again by itself, with the body from
/// where the first copy has left it; here it goes on whole, or not at all.
/// </summary>
public sealed class DeclinedRequestTests
{
    [Theory]
    [InlineData(0, false)]
    [InlineData(0, true)]
    [InlineData(10, false)]
    [InlineData(10, true)]
    [InlineData(60_000, false)]
    [InlineData(60_000, true)]
    public async Task A_kept_body_is_sent_again_whole(int size, bool goAway)
    {
        await using var leader = new RawHttp2Server(number => number == 1 ? (Decline(goAway), size / 2) : (Ending.Answer, 0));
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup { Protocols = HttpProtocols.Http2 });
        using var client = TestNode.Client();
        var body = Bytes(size);
        using var request = Grpc(follower.Url, body);

        using var answer = await client.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Null(answer.Header("grpc-status"));
        Assert.Equal(body, Assert.Single(leader.Answered));
        Assert.Equal(2, leader.Requests);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_that_is_not_kept_is_not_sent_again_and_was_not_executed(bool goAway)
    {
        await using var leader = new RawHttp2Server(number => number == 1 ? (Decline(goAway), 200_000) : (Ending.Answer, 0));
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup { Protocols = HttpProtocols.Http2 });
        using var client = TestNode.Client();
        using var request = Grpc(follower.Url, Bytes(500_000));

        using var answer = await client.SendAsync(request);

        Assert.Equal("14", answer.Header("grpc-status"));
        Assert.Equal("1", answer.Header("X-Base-Not-Executed"));
        Assert.Empty(leader.Answered);
        await Eventually.True(() => leader.Requests == 1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_leader_that_declines_a_call_and_takes_no_other_connection_has_not_executed_it(bool goAway)
    {
        RawHttp2Server? stopping = null;
        await using var leader = stopping = new RawHttp2Server(_ =>
        {
            stopping!.StopListening();
            return (Decline(goAway), 0);
        });
        await using var follower = await TestNode.ProxyAsync(
            leader.Url, new TestNodeSetup { Protocols = HttpProtocols.Http2, Options = o => o.WriteHold = TimeSpan.FromMilliseconds(50) });
        using var client = TestNode.Client();
        using var request = Grpc(follower.Url, Bytes(10));

        using var answer = await client.SendAsync(request);

        Assert.Equal("14", answer.Header("grpc-status"));
        Assert.Equal("true", answer.Header("ha-retriable"));
        Assert.Empty(leader.Answered);
    }

    [Fact]
    public async Task Of_many_calls_on_a_connection_each_arrives_whole_and_once_though_every_third_is_refused_in_its_middle()
    {
        const int Calls = 40;
        await using var leader = new RawHttp2Server(number => number <= Calls && number % 3 == 0 ? (Ending.RefuseStream, 10_000) : (Ending.Answer, 0));
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup { Protocols = HttpProtocols.Http2 });
        using var client = TestNode.Client();
        var bodies = Enumerable.Range(0, Calls).Select(i => Bytes(30_000 + i)).ToArray();

        var answers = await Task.WhenAll(bodies.Select(async body =>
        {
            using var request = Grpc(follower.Url, body);
            using var answer = await client.SendAsync(request);
            return (answer.StatusCode, Status: answer.Header("grpc-status"));
        }));

        Assert.All(answers, answer => Assert.Equal((HttpStatusCode.OK, null), answer));
        Assert.Equal(bodies, leader.Answered.OrderBy(body => body.Length));
    }

    private static Ending Decline(bool goAway) => goAway ? Ending.GoAway : Ending.RefuseStream;

    private static byte[] Bytes(int size) => [.. Enumerable.Range(0, size).Select(i => (byte)(i % 251))];

    private static HttpRequestMessage Grpc(string url, byte[] body) => new(HttpMethod.Post, url + "/pkg.Service/Call")
    {
        Version = HttpVersion.Version20,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Content = new ByteArrayContent(body) { Headers = { ContentType = new("application/grpc") } },
    };
}
