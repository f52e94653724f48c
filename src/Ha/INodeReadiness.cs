namespace Ha;

/// <summary>
/// Whether this node takes requests, and when it stops to: for health checks over other protocols than HTTP, and for answers that
/// last as long as their client stays. In the application's services after <c>AddHa()</c>, also while the plugin is off. Thread-safe.
/// </summary>
public interface INodeReadiness
{
    /// <summary>
    /// The same as <c>/_ha/healthz/ready</c>: false during the start-up quarantine, <see cref="HaOptions.WarmUp"/>, a handoff and the
    /// shutdown. Changes are told by
    /// <see cref="ILeaderProvider.GetChangeToken"/> and <see cref="Leaving"/>.
    /// </summary>
    bool IsReady { get; }

    /// <summary>Fires when this process begins to shut down. Requests are still served, and leadership is about to move.</summary>
    CancellationToken Leaving { get; }

    /// <summary>
    /// Fires after the handoff and <c>BASE_SHUTDOWN_DELAY</c>, before the listener stops. The listener waits for every request that
    /// still runs: whatever would last longer should end now.
    /// </summary>
    CancellationToken Closing { get; }
}
