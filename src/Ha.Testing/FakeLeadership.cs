using System.Diagnostics.CodeAnalysis;
using Ha.Leadership;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Ha.Testing;

/// <summary>
/// A node's leadership in the hands of a test: given, lost, handed over, at any moment and in the middle of a request. The
/// middleware, jobs and <c>/_ha/*</c> of the application run as they are:
/// <code>
/// var leadership = new FakeLeadership();
/// services.AddTestLeadership(leadership);       // in ConfigureTestServices: the last word, whatever Program.cs says
/// leadership.Lose();
/// </code>
/// It leads in epoch 1 from the beginning. Nothing happens by itself and no time matters. Thread-safe.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "Its sources have neither a timer nor a wait handle.")]
public sealed class FakeLeadership : ILeaderProvider, ILeadershipControl
{
    private const string Other = "other";

    private readonly Lock _lock = new();
    private readonly List<string?> _stepDowns = [];
    private readonly List<long> _fenceChecks = [];
    private volatile bool _paused;
    private volatile string? _trouble;
    private CancellationTokenSource _changed = new();
    private LeadershipSnapshot _current;
    private LeaderLease? _lease;
    private long _lastEpoch;
    private Func<long, Task<long>>? _raiseFence;

    /// <summary>A node that leads in epoch 1.</summary>
    /// <param name="nodeId">Its id.</param>
    /// <param name="url">Its base URL as clients reach it.</param>
    /// <exception cref="ArgumentException">The id is empty, or the URL no base URL.</exception>
    /// <exception cref="InvalidOperationException">The package <c>Ha</c> has another version than this one.</exception>
    public FakeLeadership(string nodeId = "self", string url = "http://self.example")
    {
        SameVersion.Check();
        (NodeId, Url, _lastEpoch, _lease) = (nodeId, url, 1, new LeaderLease());
        _current = LeadershipSnapshot.Leader(nodeId, 1, _lease, url);
    }

    /// <summary>This node's id.</summary>
    public string NodeId { get; }

    /// <summary>This node's base URL as clients reach it.</summary>
    public string Url { get; }

    /// <inheritdoc />
    public bool IsLeader => Current.IsLeader;

    /// <inheritdoc />
    public string? RedirectTarget => Current.RedirectTarget;

    /// <inheritdoc />
    public LeadershipSnapshot Current
    {
        get
        {
            lock (_lock)
            {
                return _current;
            }
        }
    }

    /// <inheritdoc />
    public Task Ready => Task.CompletedTask;

    /// <inheritdoc />
    public ILeadershipControl Control => this;

    /// <inheritdoc />
    public WriteGate Gate { get; } = new();

    /// <summary>To whom this node was asked to hand over, in order, by <c>POST /_ha/step-down</c> or <see cref="StepDown"/>; null: to anybody.</summary>
    public IReadOnlyList<string?> StepDowns
    {
        get
        {
            lock (_lock)
            {
                return [.. _stepDowns];
            }
        }
    }

    /// <summary>The epochs of writes that a handler refused under an unbroken lease, in order: <see cref="CheckFence"/>.</summary>
    public IReadOnlyList<long> FenceChecks
    {
        get
        {
            lock (_lock)
            {
                return [.. _fenceChecks];
            }
        }
    }

    RequestDelegate? ILeadershipControl.Heartbeat => null;

    /// <summary>
    /// This node leads from now on, in a new epoch; a leadership that it had is over. The application's
    /// <see cref="HaOptions.RaiseFence"/> comes first, as on a real node.
    /// </summary>
    /// <param name="epoch">Higher than any before. Null: the next, above what the fence has seen.</param>
    /// <exception cref="ArgumentOutOfRangeException">The epoch is not higher.</exception>
    /// <exception cref="InvalidOperationException">The fence has seen the epoch, or a later one.</exception>
    public async Task LeadAsync(long? epoch = null)
    {
        var next = await RaiseAsync(epoch);
        var lease = new LeaderLease();
        Publish(LeadershipSnapshot.Leader(NodeId, next, lease, Url), lease, next);
    }

    /// <summary>
    /// Another node leads from now on, in a new epoch. It has raised the application's fence before, as a real one would, and so
    /// has waited for transactions that are behind it.
    /// </summary>
    /// <param name="leaderId">The other's id.</param>
    /// <param name="leaderUrl">Its base URL as clients reach it. Null: <c>http://</c>, the id, <c>.example</c>.</param>
    /// <param name="epoch">Higher than any before. Null: the next, above what the fence has seen.</param>
    /// <exception cref="ArgumentException">The epoch is not higher, the id this node's, or the URL no base URL.</exception>
    /// <exception cref="InvalidOperationException">The fence has seen the epoch, or a later one.</exception>
    public async Task FollowAsync(string leaderId = Other, string? leaderUrl = null, long? epoch = null)
    {
        var next = await RaiseAsync(epoch);
        Follow(leaderId, leaderUrl, next);
    }

    /// <summary>The lease ends abruptly, and nobody is known to lead. Nothing waits for running writes.</summary>
    public void Lose() => Publish(LeadershipSnapshot.Nobody(NodeId, "the test has ended the lease"));

    /// <summary>
    /// The lease runs out without a word, as a process sees it that was stopped and wakes up: no token fires and no change is
    /// told, but <see cref="IsLeader"/> and every check say no. <see cref="Lose"/>, or any other change, is then what it notices.
    /// </summary>
    public void Pause()
    {
        lock (_lock)
        {
            if (_lease is not null)
            {
                _lease.Renew(TimeSpan.Zero);
            }
            else if (_current is { LeaderId: { } leader, LeaderUrl: { } url })
            {
                _current = LeadershipSnapshot.Follower(NodeId, leader, url, _current.Epoch, TimeSpan.Zero);
            }
        }
    }

    /// <summary>
    /// Hands over as a real node does: no new write starts here, the running ones are waited for, then the other leads in the
    /// next epoch. Ends when it does.
    /// </summary>
    /// <param name="leaderId">As of <see cref="FollowAsync"/>.</param>
    /// <param name="leaderUrl">As of <see cref="FollowAsync"/>.</param>
    /// <exception cref="InvalidOperationException">This node does not lead.</exception>
    public async Task HandOverAsync(string leaderId = Other, string? leaderUrl = null)
    {
        var leadership = CloseGate() ?? throw new InvalidOperationException($"Node {NodeId} does not lead, so it has nothing to hand over.");
        await EndHandoverAsync(leadership, leaderId, leaderUrl);
    }

    /// <inheritdoc />
    public IChangeToken GetChangeToken()
    {
        lock (_lock)
        {
            return new CancellationChangeToken(_changed.Token);
        }
    }

    /// <inheritdoc />
    public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) => LeaderWait.ForAsync(this, cancellationToken);

    /// <summary>
    /// Begins to hand over, as <see cref="HandOverAsync"/> does it, and returns at once. Recorded in <see cref="StepDowns"/>,
    /// also when this node does not lead.
    /// </summary>
    /// <param name="toNodeId">Who is to lead; null: a node named <c>other</c>.</param>
    public HandoffStart StepDown(string? toNodeId)
    {
        lock (_lock)
        {
            _stepDowns.Add(toNodeId);
        }

        if (string.Equals(toNodeId, NodeId, StringComparison.Ordinal))
        {
            return new HandoffStart(HandoffResult.NotEligible);
        }

        var successor = toNodeId ?? Other;
        if (CloseGate() is { } leadership)
        {
            _ = EndHandoverAsync(leadership, successor, leaderUrl: null);
            return new HandoffStart(HandoffResult.Accepted, successor);
        }

        return new HandoffStart(Current.IsLeader ? HandoffResult.AlreadyRunning : HandoffResult.NotLeader);
    }

    /// <summary>Notes that a write was refused under an unbroken lease; see <see cref="FenceChecks"/>.</summary>
    /// <param name="epoch">What the write ran under.</param>
    public void CheckFence(long epoch)
    {
        lock (_lock)
        {
            _fenceChecks.Add(epoch);
        }
    }

    /// <summary>Hands over first if this node leads, as <see cref="StepDown"/> does; a test that lets it lead all the same has its way.</summary>
    HandoffStart ILeadershipControl.Pause(string? toNodeId)
    {
        var start = StepDown(toNodeId);
        if (start.Result == HandoffResult.NotEligible)
        {
            return start;
        }

        _paused = true;
        return new HandoffStart(HandoffResult.Accepted, start.Successor ?? Current.LeaderId);
    }

    bool ILeadershipControl.Resume()
    {
        _paused = false;
        return true;
    }

    /// <summary>Hands over to a node named <c>other</c> when there is trouble and this node leads.</summary>
    bool ILeadershipControl.ReportHealth(string? trouble)
    {
        _trouble = trouble;
        if (trouble is not null && CloseGate() is { } leadership)
        {
            _ = EndHandoverAsync(leadership, Other, leaderUrl: null);
        }

        return true;
    }

    ClusterView ILeadershipControl.View()
    {
        var now = Current;
        var role = now.LeadsSelf ? "leader" : "follower";
        ClusterMember self = new(NodeId, Url, Url, Up: true, 0, null, now.LeadsSelf, IsSelf: true, role, null, null)
        {
            Paused = _paused,
            Unhealthy = _trouble is not null,
        };
        return new ClusterView(
            now is { LeadsSelf: false, LeaderId: { } id, LeaderUrl: { } url }
                ? [self, new ClusterMember(id, url, url, Up: true, 1, null, IsLeader: true, IsSelf: false, "leader", null, null)]
                : [self],
            "test",
            now);
    }

    void ILeadershipControl.SetReady()
    {
    }

    /// <returns>False: nobody but this test has to hear of it, so the host need not wait for others' last writes.</returns>
    async Task<bool> ILeadershipControl.HandOffAsync(CancellationToken cancellationToken)
    {
        if (CloseGate() is { } leadership)
        {
            await Gate.WhenEmptyAsync().WaitAsync(cancellationToken);
            Publish(LeadershipSnapshot.Nobody(NodeId, "the host stops"), only: leadership);
        }

        return false;
    }

    /// <summary>What a leader raises before it leads; if one leads already, for that one at once.</summary>
    internal async Task UseFenceAsync(Func<long, CancellationToken, ValueTask<long>> raise)
    {
        var now = Current;

        // As on a real node it runs on the pool: a database's driver may block, and this may be called in a request.
        _raiseFence = epoch => Task.Run(() => raise(epoch, CancellationToken.None).AsTask());
        if (now.LeaderId is null || await _raiseFence(now.Epoch) <= now.Epoch)
        {
            return;
        }

        // A database that an earlier test has used: a real node would take a later epoch too.
        await (now.LeadsSelf ? LeadAsync() : FollowAsync(now.LeaderId, now.LeaderUrl));
    }

    private async Task<long> RaiseAsync(long? epoch)
    {
        var next = epoch ?? Interlocked.Read(ref _lastEpoch) + 1;
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(next, Interlocked.Read(ref _lastEpoch), nameof(epoch));
        while (_raiseFence is { } raise && await raise(next) is var before && before >= next)
        {
            next = epoch is null ? before + 1
                : throw new InvalidOperationException($"The application's fence stands at epoch {before} already, so nobody leads in {next}.");
        }

        return next;
    }

    private void Follow(string leaderId, string? leaderUrl, long epoch, LeadershipSnapshot? only = null) =>
        Publish(LeadershipSnapshot.Follower(NodeId, leaderId, leaderUrl ?? $"http://{leaderId}.example", epoch), epoch: epoch, only: only);

    /// <returns>The leadership that ends by it; null: there is none, or its gate is closed already.</returns>
    private LeadershipSnapshot? CloseGate()
    {
        var now = Current;
        if (!now.AdmitsNow())
        {
            return null;
        }

        var closed = LeadershipSnapshot.Leader(NodeId, now.Epoch, now.Lease, Url, admitsWrites: false);
        Publish(closed, now.Lease, only: now);
        return ReferenceEquals(Current, closed) ? closed : null;
    }

    private async Task EndHandoverAsync(LeadershipSnapshot leadership, string leaderId, string? leaderUrl)
    {
        await Gate.WhenEmptyAsync();
        var next = await RaiseAsync(epoch: null);
        Follow(leaderId, leaderUrl, next, only: leadership);
    }

    /// <summary>As a real node: the lease is over before anybody is told of what comes next.</summary>
    /// <param name="next">What is shown from now on.</param>
    /// <param name="lease">Of <paramref name="next"/>, where this node leads.</param>
    /// <param name="epoch">Of a leader.</param>
    /// <param name="only">Nothing happens unless this is shown now: the test may have had another idea while writes were waited for.</param>
    private void Publish(LeadershipSnapshot next, LeaderLease? lease = null, long epoch = 0, LeadershipSnapshot? only = null)
    {
        LeaderLease? ended;
        CancellationTokenSource changed;
        lock (_lock)
        {
            if (only is not null && !ReferenceEquals(_current, only))
            {
                return;
            }

            ended = ReferenceEquals(_lease, lease) ? null : _lease;
            ended?.MarkEnded();
            (_current, _lease, _lastEpoch) = (next, lease, Math.Max(_lastEpoch, epoch));
            (changed, _changed) = (_changed, new CancellationTokenSource());
        }

        ended?.Notify();
        _ = changed.CancelAsync();
    }
}
