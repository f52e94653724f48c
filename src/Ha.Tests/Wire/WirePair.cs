using Ha.Tests.Forwarding;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Ha.Tests.OnTheWire;

/// <summary>A leader, a relay in front of it, a follower in proxy mode that knows the leader by the relay, and a client.</summary>
internal sealed class WirePair : IAsyncDisposable
{
    private readonly TestNode _leader;

    private WirePair(AnswerApp app, TestNode leader, Relay relay, TestNode follower, WireClient client)
    {
        App = app;
        _leader = leader;
        Relay = relay;
        Follower = follower;
        Client = client;
    }

    /// <summary>The leader's.</summary>
    public AnswerApp App { get; }

    public Relay Relay { get; }

    public TestNode Follower { get; }

    public WireClient Client { get; }

    /// <param name="dialect">What the client speaks.</param>
    /// <param name="flows">The flows of each connection between the nodes.</param>
    /// <param name="front">Middleware outside of the follower's <c>UseHa()</c>.</param>
    public static async Task<WirePair> StartAsync(
        Dialect dialect, Func<int, (IFlow Up, IFlow Down)> flows, Front? front = null)
    {
        var app = new AnswerApp();
        var setup = new TestNodeSetup { AfterRouting = true };
        var leader = await TestNode.LeaderAsync(app.Map, setup);
        var relay = new Relay(leader.Port, flows);
        var follower = await TestNode.ProxyAsync(relay.Url, setup with
        {
            App = new AnswerApp().Map,
            Protocols = dialect == Dialect.Http2 ? HttpProtocols.Http2 : HttpProtocols.Http1,
            Builder = builder => front?.AddTo(builder.Services),
        });
        return new WirePair(app, leader, relay, follower, new WireClient(dialect, follower.Url));
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Follower.DisposeAsync();
        await Relay.DisposeAsync();
        await _leader.DisposeAsync();
    }
}
