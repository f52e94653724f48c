using System.Net;
using Ha.Tests.Forwarding;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Ha.Tests.Oracle;

/// <summary>A leader, and in front of it two nodes of one make: one for HTTP/1.1, one for HTTP/2. One exchange at a time.</summary>
internal sealed class Side : IAsyncDisposable
{
    /// <summary>The leader's address, as it stands in facts.</summary>
    public const string Leader = "leader:1";

    private static readonly Endpoint _everything = new(requestDelegate: null, new EndpointMetadataCollection(new RequireLeaderAttribute()), "everything");

    private readonly RecordingLeader _leader;
    private readonly IReadOnlyList<Node> _nodes;

    private Side(RecordingLeader leader, params IReadOnlyList<Node> nodes)
    {
        _leader = leader;
        _nodes = nodes;
    }

    public static async Task<Side> OursAsync()
    {
        var leader = new RecordingLeader();
        return new Side(leader, await FollowerAsync(leader.Url, HttpProtocols.Http1), await FollowerAsync(leader.Url, HttpProtocols.Http2));
    }

    public static async Task<Side> YarpAsync()
    {
        var leader = new RecordingLeader();
        var http1 = await YarpNode.StartAsync(leader.Url, HttpProtocols.Http1);
        var http2 = await YarpNode.StartAsync(leader.Url, HttpProtocols.Http2);
        return new Side(leader, new Node(http1.Url, http1), new Node(http2.Url, http2));
    }

    /// <returns>What client and leader saw; the leader's address is the same on all sides.</returns>
    public async Task<IReadOnlyDictionary<string, string>> AskAsync(OracleCase question, Front front)
    {
        var exchange = new Exchange(question);
        exchange.Note("leader: runs", 0);
        _leader.Play(exchange);
        var node = _nodes[front == Front.Http2 ? 1 : 0];
        await (front switch
        {
            Front.Raw => RawFront.AskAsync(new Uri(node.Url).Port, exchange),
            Front.Http1 => ClientFront.AskAsync(node.Url, HttpVersion.Version11, exchange),
            _ => ClientFront.AskAsync(node.Url, HttpVersion.Version20, exchange),
        });
        if (exchange.Runs > 0)
        {
            await Task.WhenAny(exchange.Served.Task, Task.Delay(Exchange.Patience));
        }

        return exchange.Outcome().ToDictionary(
            fact => fact.Key,
            fact => fact.Value.Replace(Authority(_leader.Url), Leader, StringComparison.Ordinal),
            StringComparer.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
        {
            await node.Host.DisposeAsync();
        }

        await _leader.DisposeAsync();
    }

    private static string Authority(string url) => new Uri(url).Authority;

    private static async Task<Node> FollowerAsync(string leaderUrl, HttpProtocols protocols)
    {
        var follower = await TestNode.ProxyAsync(leaderUrl, new TestNodeSetup
        {
            AfterRouting = true,
            Protocols = protocols,
            Options = static options => options.WriteHold = TimeSpan.Zero,

            // Reads too, or there is nothing to compare.
            Before = static app => app.Use(static (context, next) =>
            {
                context.SetEndpoint(_everything);
                return next(context);
            }),
        });
        return new Node(follower.Url, follower);
    }

    private sealed record Node(string Url, IAsyncDisposable Host);
}
