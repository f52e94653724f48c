using Ha.Configuration;
using Ha.Forwarding.Proxy;
using Ha.Http;
using Ha.Leadership;
using Ha.Security;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Ha.Forwarding;

/// <summary>
/// Takes a write through a failover before there is one: held while nobody leads, and run here once this node does. The parts are the
/// real ones, but nobody hears of it, no handler runs and nothing is sent. What runs for the first time takes several times as long,
/// and not only for want of compiled code, which is <c>EarlyCompilation</c>'s part: the framework's generic code is compiled for the
/// types it is used with, and native code has to be found and read, too.
/// </summary>
internal static class Rehearsal
{
    private static readonly TimeSpan _untilHeld = TimeSpan.FromMilliseconds(10);

    /// <param name="settings">In effect.</param>
    /// <param name="tls">As of all connections to members.</param>
    /// <param name="server">How header values are written and read.</param>
    public static async Task RunAsync(HaSettings settings, NodeTls tls, IOptions<KestrelServerOptions> server)
    {
        using var metrics = new HaMetrics(UnheardMeters.Instance);
        var cast = new Cast(LeadershipSnapshot.Nobody(settings.NodeId));
        var node = new HaNode(settings with { WriteHold = TimeSpan.FromSeconds(1), Prefixes = PathPrefixes.None }, cast, TimeProvider.System);
        using var services = new ForwardingServices(node, metrics, NullLoggerFactory.Instance, tls, server);
        var middleware = services.Create(static context => context.Response.WriteAsync("{}"), routingRan: true);
        var write = middleware.InvokeAsync(RehearsedWrite.Create("/"));
        await Task.Delay(_untilHeld);
        cast.Change(LeadershipSnapshot.Leader(settings.NodeId, epoch: 2, new LeaderLease()));
        await write;

        // And one that finds the leader at its first look.
        await middleware.InvokeAsync(RehearsedWrite.Create("/"));
    }

    /// <summary>Who leads, by word of the play.</summary>
    private sealed class Cast(LeadershipSnapshot first) : ILeaderProvider
    {
        private CancellationTokenSource _changed = new();

        public bool IsLeader => Current.IsLeader;

        public string? RedirectTarget => Current.RedirectTarget;

        public LeadershipSnapshot Current { get; private set; } = first;

        public Task Ready => Task.CompletedTask;

        public IChangeToken GetChangeToken() => new CancellationChangeToken(_changed.Token);

        public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) => Task.FromResult(Current);

        public void Change(LeadershipSnapshot next)
        {
            Current = next;
            Interlocked.Exchange(ref _changed, new CancellationTokenSource()).Cancel();
        }
    }
}
