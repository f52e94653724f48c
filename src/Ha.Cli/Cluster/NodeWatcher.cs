using Ha.Cli.Nodes;
using Ha.Cli.Processes;

namespace Ha.Cli.Cluster;

/// <param name="Node">The process this is about.</param>
/// <param name="Answers">It answered the last poll.</param>
/// <param name="Answered">The process that runs now has answered before; until then it is starting.</param>
/// <param name="Leads">It says that it leads.</param>
/// <param name="Role">Its own word for what it does.</param>
/// <param name="Epoch">The epoch it knows.</param>
/// <param name="LeaseUntil">Clock timestamp at which the lease it knows runs out unless renewed.</param>
internal sealed record NodeStatus(NodeProcess Node, bool Answers, bool Answered, bool Leads, string Role, long Epoch, long LeaseUntil)
{
    public static NodeStatus Silent(NodeProcess node, bool answered) => new(node, false, answered, false, "", 0, 0);
}

/// <summary>Polls the nodes and says who leads. Its view lags by a poll: good to look at, not to decide by.</summary>
internal sealed class NodeWatcher(LocalCluster cluster, EventLog events, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan _every = TimeSpan.FromMilliseconds(100);

    private readonly NodeClient _client = new(cluster.AdminToken, TimeSpan.FromMilliseconds(500));
    private readonly NodeStatus[] _status = [.. cluster.Nodes.Select(n => NodeStatus.Silent(n, answered: false))];
    private (string Id, long Epoch)? _leader;
    private long _highestEpoch;
    private long _leaderless;

    /// <summary>The latest status of every node, in order.</summary>
    public IReadOnlyList<NodeStatus> Status => _status;

    /// <summary>Any node has ever answered as a node does.</summary>
    public bool AnyAnswered { get; private set; }

    /// <summary>The node that leads in the highest epoch, or null.</summary>
    public NodeStatus? Leader => _status.Where(s => s.Leads).MaxBy(s => s.Epoch);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        _leaderless = clock.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, _status.Length).Select(i => WatchAsync(i, cancellationToken)));
    }

    /// <summary>It has a web server, which is not one of this library's nodes.</summary>
    public async Task<bool> IsForeignAsync(NodeProcess node, CancellationToken cancellationToken) =>
        await _client.AskReadyAsync(node.Url, cancellationToken) is { Code: ExitCode.Failed or ExitCode.NoSuchRoute };

    public void Dispose() => _client.Dispose();

    private async Task WatchAsync(int index, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(_every, clock);
        var answeredPid = 0;
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            var node = cluster.Nodes[index];
            var pid = node.Pid;
            var status = node.State == ProcessState.Running ? await PollAsync(node, cancellationToken) : null;
            AnyAnswered |= status is not null;
            answeredPid = status is null ? answeredPid : pid;
            _status[index] = status ?? NodeStatus.Silent(node, answeredPid == pid);
            lock (events)
            {
                NoteLeaderNeedsLock();
            }
        }
    }

    private void NoteLeaderNeedsLock()
    {
        var leader = Leader;
        if (leader is not null && leader.Epoch < _highestEpoch)
        {
            // An answer from before the last change, read late.
            return;
        }

        if (leader is not null && _leader != (leader.Node.Id, leader.Epoch))
        {
            _highestEpoch = leader.Epoch;
            var after = clock.GetElapsedTime(_leaderless);
            var gap = _leader is null ? $" after {after.TotalSeconds:0.00} s" : "";
            events.Add($"{leader.Node.Id} leads in epoch {leader.Epoch}{gap}", important: true);
            _leader = (leader.Node.Id, leader.Epoch);
        }
        else if (leader is null && _leader is { } old)
        {
            _leaderless = clock.GetTimestamp();
            events.Add($"{old.Id} leads no more, no leader known", important: true);
            _leader = null;
        }
    }

    /// <summary>Null when it does not answer.</summary>
    private async Task<NodeStatus?> PollAsync(NodeProcess node, CancellationToken cancellationToken) =>
        await _client.AskAsync(node.Url, cancellationToken) is { Leader: { } leader, Self: { } self }
            ? new NodeStatus(node, true, true, leader.IsSelf, self.Role, leader.Epoch,
                clock.GetTimestamp() + (leader.LeaseRemainingMs ?? 0) * clock.TimestampFrequency / 1000)
            : null;
}
