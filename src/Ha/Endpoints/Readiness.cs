namespace Ha.Endpoints;

/// <summary>
/// Whether this node takes requests. Never tied to being leader: followers serve. Without a leader a node is ready too, or a
/// first pod that waits for its peers would block the rollout that starts them.
/// </summary>
internal enum Readiness
{
    Ready,

    /// <summary>
    /// The start-up quarantine lasts, or the application's warm-up: a roll that went on to the next node meanwhile could end the last
    /// one that may lead.
    /// </summary>
    Quarantined,

    /// <summary>This node is handing over, or its process is going.</summary>
    Draining,
}

/// <summary>The one rule, for <c>/_ha/healthz/ready</c>, gRPC health and the status page.</summary>
internal static class ReadinessRule
{
    /// <param name="snapshot">How leadership is now.</param>
    /// <param name="stopping">Has fired when the process is going.</param>
    public static Readiness Of(LeadershipSnapshot snapshot, CancellationToken stopping) =>
        snapshot.Draining || stopping.IsCancellationRequested ? Readiness.Draining
        : snapshot.Quarantined || snapshot.Starting ? Readiness.Quarantined
        : Readiness.Ready;
}
