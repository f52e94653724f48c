using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Forwarding;

public sealed class TraceTests
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";
    private const string Parent = $"00-{TraceId}-b7ad6b7169203331-01";

    [Fact]
    public async Task A_trace_goes_on_through_the_follower()
    {
        await using var leader = await LeaderAsync();
        await using var follower = await TestNode.ProxyAsync(leader.Url);

        var seen = await SendAsync(follower);

        Assert.StartsWith($"00-{TraceId}-", seen, StringComparison.Ordinal);
        Assert.EndsWith("|vendor=1", seen, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_listener_sees_the_hop_as_a_client_span()
    {
        Activity? hop = null;
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name is "Ha" or "Microsoft.AspNetCore",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                if (activity.OperationName == "ha.forward" && activity.TraceId.ToHexString() == TraceId)
                {
                    hop = activity;
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        await using var leader = await LeaderAsync();
        await using var follower = await TestNode.ProxyAsync(leader.Url);

        var seen = await SendAsync(follower);

        Assert.NotNull(hop);
        Assert.Equal(ActivityKind.Client, hop.Kind);
        Assert.Equal(leader.Url, hop.GetTagItem("ha.leader"));
        Assert.Equal(200, hop.GetTagItem("http.response.status_code"));
        Assert.StartsWith($"00-{TraceId}-", seen, StringComparison.Ordinal);
        Assert.DoesNotContain("b7ad6b7169203331", seen, StringComparison.Ordinal);
    }

    private static Task<TestNode> LeaderAsync() => TestNode.LeaderAsync(app => app.Run(context =>
        context.Response.WriteAsync($"{context.Request.Headers.TraceParent}|{context.Request.Headers.TraceState}")));

    private static async Task<string> SendAsync(TestNode follower)
    {
        // By hand: a client that traces would put its own header there.
        var answer = await RawConnection.AskAsync(
            follower.Port, $"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\ntraceparent: {Parent}\r\ntracestate: vendor=1\r\nContent-Length: 0\r\n\r\n");
        return answer.Split("\r\n").Single(static line => line.StartsWith("00-", StringComparison.Ordinal));
    }
}
