using Ha.Configuration;
using Ha.Forwarding;
using Ha.Leadership;
using Ha.Security;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ha.Hosting;

/// <summary>
/// Ties leadership to the host's life: heard of and eligible once the listener is up, handed over while it still is. Never waits
/// for an election, so a node starts whether or not others do.
/// </summary>
internal sealed class HaLifecycleService(IServiceProvider services, ShutdownSignal shutdown, ILogger<HaLifecycleService> logger)
    : IHostedLifecycleService, IDisposable
{
    /// <summary>
    /// How long the listener stays after others were told that this node leads no more. Writes that they sent before are
    /// still on their way, and a connection that closes under a write leaves its outcome unknown.
    /// </summary>
    private static readonly TimeSpan _lastArrivals = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource _impatience = new();
    private HaNode? _node;
    private Lazy<Task<bool>> _handoff = new(Task.FromResult(false));

    /// <summary>
    /// Reads and checks the settings before any other service starts; the quarantine begins. A shutdown that begins with
    /// SIGTERM begins the handoff, too: until the host comes to <see cref="StoppingAsync"/> it says things and wakes others.
    /// </summary>
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        _node = services.GetRequiredService<HaNode>();
        (_node.Control as ElectedLeader)?.SetStarting();
        if (_node is { Control: { } control, Settings.IsActive: true })
        {
            _handoff = new(() => control.HandOffAsync(_impatience.Token));
            services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.Register(BeginStop);
        }

        if (_node.Settings is { IsActive: true, Standing: { } rule })
        {
            HealthStanding.Check(rule, services);
        }

        LogStart(_node);
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        if (_node is { } node)
        {
            // A process that does not get the port must not be heard under the URL of the one that has it.
            (node.Control as ElectedLeader)?.SetListening();
            _ = StandAsync(node);
        }

        if (_node is { Control: { } control, Settings: { IsActive: true } settings })
        {
            WarmUp(control, settings);
        }

        return Task.CompletedTask;
    }

    /// <summary>What this plugin itself runs first at a failover, and connects. In the quarantine after a start nobody waits.</summary>
    private void WarmUp(ILeadershipControl control, HaSettings settings)
    {
        var tls = services.GetRequiredService<NodeTls>();
        var server = services.GetRequiredService<IOptions<KestrelServerOptions>>();
        EarlyCompilation.Start(() => Rehearsal.RunAsync(settings, tls, server));
        if (settings.ForwardMode == ForwardMode.Proxy || settings.ForwardOverride)
        {
            _ = new WarmConnections(services.GetRequiredService<ForwardingServices>(), control).RunAsync(shutdown.Token);
        }
    }

    /// <summary>At once where there is nothing to wait for. Meanwhile this node is a member like any other, but does not lead.</summary>
    private async Task StandAsync(HaNode node)
    {
        if (node is { Control: not null, Settings: { IsActive: true, WarmUp: { } hooks } })
        {
            await new ApplicationWarmUp(hooks, services, logger, node.Clock).RunAsync(shutdown.Token);
        }

        if (node is { Settings: { IsActive: true, Standing: { } rule } })
        {
            await HealthStanding.RunAsync(node, rule, services, logger, shutdown.Token);
        }
        else
        {
            node.Control?.SetReady();
        }
    }

    /// <summary>
    /// The listener is up until all services have returned from here: requests are served while leadership moves,
    /// and afterwards for as long as balancers need to notice.
    /// </summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        if (_node is not { Settings: { IsActive: true } settings } node)
        {
            shutdown.Close();
            return;
        }

        try
        {
            BeginStop();
            await using var impatient = cancellationToken.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), _impatience);
            var delay = settings.ShutdownDelay;
            if (await _handoff.Value && delay < _lastArrivals)
            {
                delay = _lastArrivals;
            }

            if (delay > TimeSpan.Zero)
            {
                await Task.Delay(delay, node.Clock, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            logger.HandoffCutShort(error: null);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // The listener must stop all the same, or the process hangs until it is killed.
            logger.HandoffCutShort(error);
        }

        // Whoever still waits for a leader gets its 503 now, or the listener would wait for them; so it would for streams.
        services.GetRequiredService<ForwardingServices>().Hold.Stop();
        shutdown.Close();
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Nobody can reach this node any more, so it stops to call others. A handoff that was cut short stays so.</summary>
    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        _node?.Dispose();
        return Task.CompletedTask;
    }

    public void Dispose() => _impatience.Dispose();

    /// <summary>The handoff first: what waits for the signal runs while it is fired.</summary>
    private void BeginStop()
    {
        try
        {
            _ = _handoff.Value;
        }
        finally
        {
            shutdown.Fire();
        }
    }

    private void LogStart(HaNode node)
    {
        var settings = node.Settings;
        if (!settings.IsActive)
        {
            logger.Inactive();
            return;
        }

        if (settings.OwnProvider)
        {
            LogProvider(node);
            return;
        }

        if (node.Provider is LeaseLeader lease)
        {
            logger.StoreJoined(settings.NodeId, settings.ClusterId, lease.Store, DurationText.Format(settings.LeaseTimeout));
            return;
        }

        if (settings.StaticLeader is { } leader)
        {
            logger.LeaderFixed(settings.NodeId, leader);
            return;
        }

        var members = settings.Peers.Count + 1;
        logger.ElectionJoined(
            settings.NodeId, settings.ClusterId, members, settings.UsesMajority ? "majority" : "off", DurationText.Format(settings.LeaseTimeout));
        if (!settings.UsesMajority && members == 2)
        {
            logger.TwoMembers();
        }
        else if (!settings.UsesMajority && members > 2)
        {
            logger.QuorumOff(members);
        }

        if (settings.Insecure && members > 1)
        {
            logger.Insecure();
        }
    }

    private void LogProvider(HaNode node)
    {
        var provider = node.Provider.GetType().Name;
        logger.ProviderJoined(node.Settings.NodeId, provider);
        if (node.Control is null)
        {
            logger.ProviderWithoutControl(provider, nameof(ILeaderProvider.Control));
        }
    }
}
