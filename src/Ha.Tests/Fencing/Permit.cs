namespace Ha.Tests.Fencing;

/// <summary>A leadership that the test ends: at once, or after it was looked at so many times.</summary>
internal sealed class Permit(long epoch) : IHaFeature
{
    private long _looks = long.MaxValue;

    public long Epoch => epoch;

    public CancellationToken LeaseLost => CancellationToken.None;

    /// <summary>Called at each look.</summary>
    public Action Looked { get; init; } = static () => { };

    public Permit LostAfter(int looks)
    {
        _looks = looks;
        return this;
    }

    public void Lose() => _looks = 0;

    public void EnsureStillLeader()
    {
        if (--_looks < 0)
        {
            throw new NotLeaderException { LeaderUrl = "http://elsewhere", Epoch = epoch + 1 };
        }

        Looked();
    }
}
