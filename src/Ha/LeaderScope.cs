using Ha.Leadership;

namespace Ha;

/// <summary>
/// The leadership that the running code was admitted under, for code that has no <c>HttpContext</c> at hand: a repository, a
/// database interceptor. Set while an admitted write or a <see cref="LeaderBackgroundService"/> runs, and flows with
/// <c>async</c> calls and started tasks. Thread-safe.
/// </summary>
public static class LeaderScope
{
    /// <summary>
    /// In an admitted write or a leader's job, and in what they call; null elsewhere. Work that outlives them still sees it,
    /// and is refused once that leadership has ended.
    /// </summary>
    public static IHaFeature? Current => AmbientLeadership.Current;

    /// <summary><see cref="Current"/>, or else this node's leadership as it is now: for a console job, or a worker of your own.</summary>
    /// <param name="leader">Asked where there is no scope.</param>
    /// <exception cref="NotLeaderException">There is no scope, and this node does not lead.</exception>
    public static IHaFeature For(ILeaderProvider leader)
    {
        ArgumentNullException.ThrowIfNull(leader);
        return AmbientLeadership.Current ?? Admit(leader);
    }

    /// <summary>Lets what is called from here run under <paramref name="leadership"/>, until the result is disposed of.</summary>
    /// <param name="leadership">From <see cref="For"/>, or of a request. No handoff waits for what runs under it; it is refused afterwards.</param>
    public static IDisposable Enter(IHaFeature leadership)
    {
        ArgumentNullException.ThrowIfNull(leadership);
        var outer = AmbientLeadership.Scope;
        AmbientLeadership.Scope = new AdmittedScope(leadership, outer);
        return new Scope(outer);
    }

    private static WritePermit Admit(ILeaderProvider leader)
    {
        var now = leader.Current;
        if (!now.AdmitsNow())
        {
            throw WritePermit.Refusal(now);
        }

        return new WritePermit(leader, now, now.CommitGuard);
    }

    private sealed class Scope(AdmittedScope? outer) : IDisposable
    {
        public void Dispose() => AmbientLeadership.Scope = outer;
    }
}
