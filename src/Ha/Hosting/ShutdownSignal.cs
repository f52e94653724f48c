using Microsoft.Extensions.Hosting;

namespace Ha.Hosting;

/// <summary>
/// Fires once this process is on its way out. SIGTERM fires the application's own token before the handoff, a call of
/// <c>StopAsync</c> only after it; <c>ready</c> must say draining in both cases.
/// </summary>
internal sealed class ShutdownSignal(IHostApplicationLifetime? lifetime = null) : IDisposable
{
    private readonly CancellationTokenSource _source =
        CancellationTokenSource.CreateLinkedTokenSource(lifetime?.ApplicationStopping ?? CancellationToken.None);

    private readonly CancellationTokenSource _closing = new();

    public CancellationToken Token => _source.Token;

    /// <summary>Fires after <see cref="Token"/>, before the listener stops.</summary>
    public CancellationToken Closing => _closing.Token;

    public void Fire() => _source.Cancel();

    public void Close() => _closing.Cancel();

    /// <summary>Whoever watches files until the shutdown must hear of the end of a host that was never stopped.</summary>
    public void Dispose()
    {
        Fire();
        Close();
        _source.Dispose();
        _closing.Dispose();
    }
}
