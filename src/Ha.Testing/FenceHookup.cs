using Microsoft.Extensions.Hosting;

namespace Ha.Testing;

/// <summary>Gives the application's fence to the leadership that a test decides about, once the application has started.</summary>
internal sealed class FenceHookup(ILeaderProvider leadership, HaOptions options) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Not before: the table of the fence may be made by another service's start.</summary>
    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        if (options.RaiseFence is not { } raise)
        {
            return;
        }

        if (leadership is FakeLeadership fake)
        {
            await fake.UseFenceAsync(raise);
        }
        else if (leadership is TestNode node)
        {
            node.RaiseFence = raise;
        }
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
