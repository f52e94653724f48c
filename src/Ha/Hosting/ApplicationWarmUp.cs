using Ha.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Hosting;

/// <summary>Runs what the application wants to have run once before this node leads; see <see cref="HaOptions.WarmUp"/>.</summary>
/// <param name="hooks">One delegate, or several that were added up.</param>
/// <param name="services">Of the application.</param>
/// <param name="logger">Told of the end, whichever it is.</param>
/// <param name="clock">Measures <see cref="Patience"/>.</param>
internal sealed class ApplicationWarmUp(
    Func<IServiceProvider, CancellationToken, Task> hooks, IServiceProvider services, ILogger logger, TimeProvider clock)
{
    /// <summary>As for one try to raise the fence: what takes longer hangs, and a node that starts alone must not wait for ever.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Ends after <see cref="Patience"/> at the latest, or when <paramref name="stopping"/> fires; does not throw.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var began = clock.GetTimestamp();
        using var timeout = new CancellationTokenSource(Patience, clock);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stopping);
        var token = limit.Token;
        try
        {
            // On the pool: the start of the host must not wait for a hook that blocks.
            await Task.Run(() => RunAllAsync(token), CancellationToken.None).WaitAsync(token);
            logger.WarmedUp(clock.GetElapsedTime(began));
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            logger.WarmUpLate(DurationText.Format(Patience));
        }
        catch (OperationCanceledException)
        {
            // This node will not lead any more.
        }
    }

    private async Task RunAllAsync(CancellationToken limit)
    {
        foreach (var hook in Delegate.EnumerateInvocationList(hooks))
        {
            try
            {
                await using var scope = services.CreateAsyncScope();
                await hook(scope.ServiceProvider, limit);
            }
            catch (Exception e) when (e is not OutOfMemoryException && !limit.IsCancellationRequested)
            {
                logger.WarmUpFailed(e);
            }
        }
    }
}
