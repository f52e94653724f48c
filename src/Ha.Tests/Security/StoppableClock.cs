namespace Ha.Tests.Security;

/// <summary>
/// The lease clock of a whole cluster, which the test can stop: nothing is sent, renewed or lost by itself meanwhile.
/// </summary>
internal sealed class StoppableClock : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly DateTimeOffset _wall = System.GetUtcNow();
    private readonly long _origin = System.GetTimestamp();
    private long? _stoppedAt;
    private long _lost;

    public void Stop()
    {
        lock (_lock)
        {
            _stoppedAt ??= base.GetTimestamp();
        }
    }

    public void Go()
    {
        lock (_lock)
        {
            _lost += _stoppedAt is { } at ? base.GetTimestamp() - at : 0;
            _stoppedAt = null;
        }
    }

    public override long GetTimestamp()
    {
        lock (_lock)
        {
            return (_stoppedAt ?? base.GetTimestamp()) - _lost;
        }
    }

    /// <summary>Stands still too, or it would look like a jump.</summary>
    public override DateTimeOffset GetUtcNow() => _wall + GetElapsedTime(_origin);
}
