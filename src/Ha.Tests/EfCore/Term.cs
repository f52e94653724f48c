namespace Ha.Tests.EfCore;

/// <summary>A leadership that a test ends.</summary>
internal sealed class Term(long epoch) : IHaFeature
{
    public long Epoch => epoch;

    public CancellationToken LeaseLost => new(IsOver);

    public bool IsOver { get; set; }

    public int Looks { get; private set; }

    public void EnsureStillLeader()
    {
        Looks++;
        if (IsOver)
        {
            throw new NotLeaderException { LeaderUrl = "http://next:1", Epoch = epoch + 1 };
        }
    }
}
