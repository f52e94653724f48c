using Ha.Election;

namespace Ha.Tests.Simulation;

/// <summary>A voter's promise, with its end on the voter's own clock.</summary>
internal readonly record struct Promise(string Holder, Guid Incarnation, long Epoch, long Until)
{
    public bool Exists => Holder is not null;

    public bool IsFor(string holder, Guid incarnation) =>
        Incarnation == incarnation && string.Equals(Holder, holder, StringComparison.Ordinal);
}

/// <summary>The one place where checkers look inside the core.</summary>
internal static class CoreView
{
    /// <summary>The strictest reading of "leads": also while writes wait for the application's floor or for a revalidation.</summary>
    public static bool HoldsLease(ElectionCore core, long now) =>
        core.IsLeaderAt(now) || (core.Role == NodeRole.Leader && now < core.LeaseUntil);

    public static bool AdmitsWrites(ElectionCore core, long now) => core.IsLeaderAt(now) && !core.GateClosed;

    public static Promise PromiseOf(ElectionCore core) =>
        core.Voter is { Holder: { } holder } voter
            ? new Promise(holder.Id, holder.Incarnation, voter.Epoch, voter.Until)
            : default;

    /// <summary>Until when the core counts the ack of this peer; -1 is its own vote.</summary>
    public static long AckUntil(ElectionCore core, int peer) =>
        peer < 0 ? core.SelfAckUntil : core.PeerAt(peer).AckUntil;
}
