using Microsoft.Extensions.Primitives;

namespace Ha;

/// <summary>
/// Says who leads. All members are safe to call from any thread, never block and never throw,
/// unless stated otherwise. An application may register one of its own, before or after <c>AddHa()</c>, as a singleton: every
/// part of the plugin uses that.
/// </summary>
public interface ILeaderProvider
{
    /// <summary>
    /// True only while this node's lease is valid at the moment of the call. An effect that happens after the
    /// call must be fenced by <see cref="LeadershipSnapshot.Epoch"/>.
    /// </summary>
    bool IsLeader { get; }

    /// <summary>The leader's URL as clients reach it, or null when none is known or this node is the leader itself.</summary>
    string? RedirectTarget { get; }

    /// <summary>One coherent view. Read it once per decision, not <see cref="IsLeader"/> and then <see cref="RedirectTarget"/>.</summary>
    LeadershipSnapshot Current { get; }

    /// <summary>Completes after the first election round: a leader is known, or the start-up quarantine is over.</summary>
    Task Ready { get; }

    /// <summary>
    /// A token that fires once at the next change of leader, epoch or own role (not at lease renewals).
    /// Take the token first, then read <see cref="Current"/>, then wait.
    /// </summary>
    IChangeToken GetChangeToken();

    /// <summary>
    /// Waits until a leader is known, this node or another. Before the server listens this node cannot lead, and members do not hear of
    /// it: what the start waits for (a service's <c>StartAsync</c>, code before <c>Run()</c>) must not wait here.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired.</exception>
    /// <exception cref="ObjectDisposedException">The election has ended, and with it all that could be waited for.</exception>
    /// <exception cref="InvalidOperationException">Members elect, and after 5 s of waiting the start of this node has not begun.</exception>
    Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// How the plugin drains, hands over and lists the members. Null: it cannot, so a handoff waits for no write, and
    /// <c>/_ha/step-down</c>, <c>pause</c> and <c>resume</c> answer 409. Always the same object.
    /// </summary>
    ILeadershipControl? Control => null;
}
