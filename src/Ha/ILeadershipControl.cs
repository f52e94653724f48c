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

    /// <summary>Called once the server listens and <see cref="HaOptions.WarmUp"/> has ended; before, this node must not lead.</summary>
    void SetReady();

    /// <summary>Begins to hand leadership over: <c>POST /_ha/step-down</c>. Returns at once.</summary>
    /// <param name="toNodeId">Who is to lead; null: whoever is best.</param>
    HandoffStart StepDown(string? toNodeId);

    /// <summary>
    /// From now on this node does not stand: <c>POST /_ha/pause</c>. It follows, votes and forwards as ever, and does not lead until
    /// <see cref="Resume"/> or a restart. If it leads it begins to hand over, as <see cref="StepDown"/> does. Returns at once.
    /// </summary>
    /// <param name="toNodeId">Who is to lead if this node does; null: whoever is best.</param>
    /// <returns>
    /// <see cref="HandoffResult.Accepted"/>, with whoever is to lead next or leads now, as often as it is asked;
    /// <see cref="HandoffResult.NotEligible"/>: this node leads and nobody, or not the named one, could take over, so nothing was
    /// changed; <see cref="HandoffResult.AlreadyRunning"/>: nothing either, it is handing over to another than the named one;
    /// <see cref="HandoffResult.NotSupported"/>: this provider cannot be paused, the default.
    /// </returns>
    HandoffStart Pause(string? toNodeId = null) => new(HandoffResult.NotSupported);

    /// <summary>Ends a pause: <c>POST /_ha/resume</c>. Nothing happens to a node that is not paused.</summary>
    /// <returns>False: this provider cannot be paused, the default.</returns>
    bool Resume() => false;

    /// <summary>
    /// Tells of the application's health what <see cref="HaOptions.StandsWhile"/> found, whenever that or its wording changes. While
    /// there is trouble this node does not stand; if it leads it hands over as soon as somebody can take over, and leads until then.
    /// </summary>
    /// <param name="trouble">In a few words that anybody may see, what is wrong; null: nothing.</param>
    /// <returns>False: it makes no difference to this provider, the default.</returns>
    bool ReportHealth(string? trouble) => false;

    /// <summary>
    /// Called once at shutdown, while the server still listens, as early as in a callback of
    /// <see cref="Microsoft.Extensions.Hosting.IHostApplicationLifetime.ApplicationStopping"/>: gives leadership away for good. Its task
    /// ends when it is gone and the others were told, in bounded time.
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
