using Microsoft.AspNetCore.Http;

namespace Ha;

/// <summary>
/// What the parts of the plugin ask of a provider beyond who leads: to wait for running writes, to hand over, to show the members.
/// Optional: a provider without it is read and nothing else. One that wraps another passes on the other's
/// <see cref="ILeaderProvider.Control"/>. Thread-safe.
/// </summary>
public interface ILeadershipControl
{
    /// <summary>The writes and jobs that run on this node; a handoff waits for them. Always the same object.</summary>
    WriteGate Gate { get; }

    /// <summary>Answers <c>POST /_ha/heartbeat</c>; null where no member sends any: 404.</summary>
    RequestDelegate? Heartbeat { get; }

    /// <summary>The members as this node sees them now. Does not block.</summary>
    ClusterView View();

    /// <summary>Called once the server listens; before, this node must not lead.</summary>
    void SetReady();

    /// <summary>Begins to hand leadership over: <c>POST /_ha/step-down</c>. Returns at once.</summary>
    /// <param name="toNodeId">Who is to lead; null: whoever is best.</param>
    HandoffStart StepDown(string? toNodeId);

    /// <summary>
    /// Called at shutdown, while the server still listens: gives leadership away for good. Returns when it is gone and the
    /// others were told, in bounded time.
    /// </summary>
    /// <returns>True when others had to be told.</returns>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired; the handoff goes on.</exception>
    Task<bool> HandOffAsync(CancellationToken cancellationToken);

    /// <summary>
    /// A write was refused with <see cref="NotLeaderException"/> under an unbroken lease: the application's fence may have been
    /// raised by somebody who is not of this cluster. Returns at once.
    /// </summary>
    /// <param name="epoch">What the write ran under.</param>
    void CheckFence(long epoch);
}
