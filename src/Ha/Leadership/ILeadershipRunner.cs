using Microsoft.Extensions.Primitives;

namespace Ha.Leadership;

/// <summary>What an elected leader asks of its runner, whoever arbitrates. Disposing ends it at once, without a handoff.</summary>
internal interface ILeadershipRunner : IDisposable
{
    LeadershipSnapshot Current { get; }

    /// <summary>Completes after the first election round.</summary>
    Task Ready { get; }

    /// <summary>The writes that run here; a handoff waits for them.</summary>
    WriteGate Gate { get; }

    /// <summary>Fires when this object is disposed of.</summary>
    CancellationToken Stopping { get; }

    /// <summary>Completes when nothing is under way any more, some time after this object was disposed of.</summary>
    Task Ended { get; }

    IChangeToken GetChangeToken();

    /// <summary>As <see cref="ILeaderProvider.WaitForLeaderAsync"/> says.</summary>
    Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken);

    ClusterView View();

    /// <summary>Says that the host's start is under way.</summary>
    void SetStarting();

    /// <summary>Says that the server listens; before, this node sends nothing to others. <see cref="SetReady"/> says so, too.</summary>
    void SetListening();

    /// <summary>Says that this node serves requests; before, it does not lead.</summary>
    void SetReady();

    /// <summary>Begins to hand leadership over to the named node, or to the lowest that could lead. Returns at once.</summary>
    HandoffStart StepDown(string? toNodeId);

    /// <summary>As <see cref="ILeadershipControl.Pause"/> says.</summary>
    HandoffStart Pause(string? toNodeId);

    void Resume();

    /// <summary>In words, why the application is not healthy enough to lead; null: it is.</summary>
    void SetTrouble(string? trouble);

    /// <summary>
    /// Gives leadership away for good because this process is going. Returns when it is gone, released or lapsed, and
    /// the others were told; bounded by drain and lease.
    /// </summary>
    /// <returns>True when there are others, and this node led them.</returns>
    Task<bool> HandOffForShutdownAsync(CancellationToken cancellationToken);

    /// <summary>As <see cref="ILeadershipControl.CheckFence"/> says; asks at most once per pause between two tries.</summary>
    void CheckFence(long epoch);
}
