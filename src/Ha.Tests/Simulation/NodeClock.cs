namespace Ha.Tests.Simulation;

/// <summary>
/// One machine's clocks. The monotonic one counts through pauses and suspends (as CLOCK_BOOTTIME does) and runs up to
/// 1 % fast or slow; the wall clock is real time plus a skew that may step.
/// </summary>
internal sealed class NodeClock(long localBase, int ratePpm, long wallSkew)
{
    public const long MicrosPerSecond = 1_000_000;

    /// <summary>Unix microseconds at the start of a run.</summary>
    public const long WallEpoch = 1_800_000_000_000_000;

    private long _realBase;
    private long _localBase = localBase;
    private long _rate = MicrosPerSecond + ratePpm;
    private bool _stopped;

    public long WallSkew { get; private set; } = wallSkew;

    public long Local(long real) =>
        _stopped ? _localBase : _localBase + (real - _realBase) * _rate / MicrosPerSecond;

    public long Wall(long real) => WallEpoch + real + WallSkew;

    /// <summary>The first real instant at which this clock shows <paramref name="local"/> or more.</summary>
    public long RealAt(long local)
    {
        long ahead = local - _localBase;
        if (ahead > 1_000_000 * MicrosPerSecond)
            return long.MaxValue;

        return _realBase + (ahead <= 0 ? 0 : (ahead * MicrosPerSecond + _rate - 1) / _rate);
    }

    public void SetRate(long real, int ratePpm)
    {
        Rebase(real);
        _rate = MicrosPerSecond + ratePpm;
    }

    public void StepWall(long bySkew) => WallSkew += bySkew;

    public void SetWallSkew(long skew) => WallSkew = skew;

    /// <summary>A hypervisor stops the guest together with its clock: nothing inside can notice.</summary>
    public void Stop(long real)
    {
        Rebase(real);
        _stopped = true;
    }

    public void Continue(long real)
    {
        if (!_stopped)
            return;

        _realBase = real;
        _stopped = false;
    }

    private void Rebase(long real)
    {
        _localBase = Local(real);
        _realBase = real;
    }
}
