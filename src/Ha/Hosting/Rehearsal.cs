using Ha.Configuration;
using Ha.Forwarding;
using Ha.Forwarding.Proxy;
using Ha.Http;
using Ha.Leadership;
using Ha.Security;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Ha.Hosting;

/// <summary>
/// Takes two writes and a job through a failover before there is one: a node of its own wins with nobody but itself, raises a fence that
/// is nowhere, starts the job, lets in what it had held, and hands over while a write still runs. The parts are the real ones, but nobody
/// hears of it and nothing is sent. Whatever can wait does: what runs after a wait is code of its own. What runs for the first time takes several times as long, and not only for want of compiled code
/// (<see cref="EarlyCompilation"/>): the framework's generic code is compiled for the types it is used with, and native code has to be
/// found and read, too.
/// </summary>
internal static class Rehearsal
{
    private static readonly TimeSpan _untilHeld = TimeSpan.FromMilliseconds(10);

    /// <param name="settings">In effect.</param>
    /// <param name="tls">As of all connections to members.</param>
    /// <param name="server">How header values are written and read.</param>
    /// <returns>What the two writes were answered.</returns>
    public static async Task<(int Held, int Admitted)> RunAsync(HaSettings settings, NodeTls tls, IOptions<KestrelServerOptions> server)
    {
        var alone = settings with
        {
            LocalTarget = "http://ha.invalid",
            PublicTarget = "http://ha.invalid",
            Peers = [],
            StaticLeader = null,
            UsesMajority = true,
            Witness = false,
            Keys = FileBacked<KeyRing>.Fixed(new KeyRing([])),
            Prefixes = PathPrefixes.None,
            WriteHold = TimeSpan.FromSeconds(10),
            RaiseFence = NowhereAsync,
        };
        var telemetry = new ElectionTelemetry(NullLoggerFactory.Instance, new HaMetrics(UnheardMeters.Instance), BootClock.Instance);
        using var addresses = new MemberAddresses();
        using var leader = new LuxLeader(alone, handler: null, BootClock.Instance, telemetry, tls, addresses: addresses);
        using var services = new ForwardingServices(
            new HaNode(alone, leader, BootClock.Instance), telemetry.Metrics, NullLoggerFactory.Instance, tls, server, addresses);
        var mayEnd = Task.CompletedTask;
        var middleware = services.Create(
            async context =>
            {
                await context.Request.Body.CopyToAsync(Stream.Null);
                await Task.Yield();
                await mayEnd;
                await context.Response.WriteAsync("{}");
            },
            routingRan: true);

        using var job = new Job(leader);
        await job.StartAsync(CancellationToken.None);
        var held = RehearsedWrite.Create("/");
        var write = middleware.InvokeAsync(held);
        await Task.Delay(_untilHeld);
        leader.SetReady();
        await write;

        var ending = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        mayEnd = ending.Task;
        var admitted = RehearsedWrite.Create("/");
        write = middleware.InvokeAsync(admitted);
        var handoff = leader.StopAsync();
        ending.SetResult();
        await write;
        await handoff;
        await job.StopAsync(CancellationToken.None);
        return (held.Response.StatusCode, admitted.Response.StatusCode);
    }

    private static async ValueTask<long> NowhereAsync(long epoch, CancellationToken cancellationToken)
    {
        await Task.Yield();
        return 0;
    }

    private sealed class Job(ILeaderProvider leader) : LeaderBackgroundService(leader, NullLogger.Instance)
    {
        protected override Task ExecuteAsLeaderAsync(LeadershipSnapshot leadership, CancellationToken cancellationToken) =>
            Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
    }
}
