using Ha.Configuration;
using Ha.Endpoints;
using Ha.Heartbeat;
using Ha.Security;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ha.Hosting;

/// <summary>
/// Refuses a host in which this node could not work, and says what is probably not meant as it is set. Registered before
/// the election's own service, so that nothing of that has begun when the start is refused.
/// </summary>
internal sealed class SetupCheck(IServiceProvider services, ILogger<SetupCheck> logger, IServer? server = null)
    : IHostedLifecycleService, IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private Task _ownAddress = Task.CompletedTask;

    /// <exception cref="InvalidHaOptionsException">There are peers and no web server that they could reach.</exception>
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        var settings = services.GetRequiredService<HaSettings>();
        if (settings.Elects && server is null)
        {
            throw new InvalidHaOptionsException(
            [
                $"{HaKeys.Peers} is set, but this host has no web server, so the others could not reach this node at {HaKeys.LocalTarget} ({settings.LocalTarget}); " +
                "build it with WebApplication.CreateBuilder (project SDK Microsoft.NET.Sdk.Web), where a worker's services run unchanged, " +
                $"or name one node that always leads: {HaKeys.StaticLeader} instead of {HaKeys.Peers}.",
            ]);
        }

        if (settings.IsActive)
        {
            Say(settings);
        }
        else if (settings.KeysWithoutEffect.Count > 0)
        {
            logger.IgnoredWhileOff(string.Join(", ", settings.KeysWithoutEffect));
        }

        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>The listeners are up. Nobody waits for the look at them.</summary>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        if (services.GetRequiredService<HaSettings>() is { IsActive: true, LocalTarget: { } target }
            && server?.Features.Get<IServerAddressesFeature>()?.Addresses is { Count: > 0 } listensOn)
        {
            var check = new OwnAddressCheck(
                target,
                services.GetRequiredService<OwnAddress>(),
                services.GetRequiredService<NodeTls>().CreateHandler(static tls => PeerHandler.Create(OwnAddressCheck.Patience, tls)),
                TimeProvider.System,
                logger);
            _ownAddress = check.RunAsync([.. listensOn], _stopping.Token);
        }

        return Task.CompletedTask;
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _ownAddress.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        _stopping.Cancel();
        _stopping.Dispose();
    }

    private void Say(HaSettings settings)
    {
        if (settings.KeysWithoutEffect.Count > 0)
        {
            logger.UnknownKeys(string.Join(", ", settings.KeysWithoutEffect));
        }

        if (settings is { StaticLeader: { } leader, PeersWereNamed: true })
        {
            logger.PeersIgnored(leader);
        }

        if (settings is { StaticLeader: { } fixedLeader, LeaseStoreWasNamed: true })
        {
            logger.LeaseStoreIgnored(fixedLeader);
        }

        if (settings is { StaticLeader: null, PeersWereNamed: false, LeaseStore: null, OwnProvider: false })
        {
            logger.Alone(settings.LocalTarget!);
        }
    }
}
