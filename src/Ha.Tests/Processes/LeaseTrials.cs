using System.Runtime.InteropServices;
using Ha.Cli.Cluster;
using Ha.Cli.Processes;
using Ha.Tests.Support;

namespace Ha.Tests.Processes;

/// <summary>What one trial cost its clients.</summary>
/// <param name="First">To the acknowledgement of the first write that was due since, or what the trial's name says.</param>
/// <param name="Worst">The longest that a write took which was due in the four leases from then; zero where that is not the question.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct TrialCost(TimeSpan First, TimeSpan Worst);

/// <summary>Takes leaders, and their store, away from a cluster under load, one after the other, and measures what that costs.</summary>
/// <param name="slack">How much longer than on a machine with time for it things may take.</param>
internal sealed class LeaseTrials(ExampleCluster cluster, StoreBed store, OpenLoad load, TimeSpan slack, Action<string> say)
{
    public const string Kill = "kill -9 of the leader";
    public const string Stop = "SIGSTOP of the leader for 3 leases";
    public const string Cut = "leader cut from the store for 3 leases";
    public const string Terminate = "the leader's connections ended by the store";
    public const string Restart = "immediate restart of the store";
    public const string StepDown = "step-down, until another leads";
    public const string Back = "store back after it was away, until one leads";

    private static readonly TimeSpan _endsBeyondLease = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan _settled = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);
    private (long From, long To) _away = (long.MaxValue, 0);

    public Dictionary<string, List<TrialCost>> Costs { get; } = new(StringComparer.Ordinal);

    /// <summary>What did not hold, for people.</summary>
    public List<string> Broken { get; } = [];

    private IEnumerable<NodeProcess> Running => cluster.Nodes.Where(n => n.State == ProcessState.Running);

    /// <summary>Whether a write was refused, for certain, when the store was away for longer than a write is held.</summary>
    public bool IsWhileStoreIsAway(WriteResult write) => write.DueAt >= _away.From && write.DueAt <= _away.To && write.IsNotExecuted;

    public async Task DisturbAsync(int rounds)
    {
        await load.AnswersAsync(_settled);
        for (var round = 0; round < rounds; round++)
        {
            await KillAsync();
            await AtLeaderAsync(Stop, leader => leader.Pause(), leader => leader.Resume());
            await AtLeaderAsync(Cut, leader => store.Link(leader).Cut(), leader => store.Link(leader).Mend());
            await MeasureAsync(Terminate, async leader => say($"{await store.Server.TerminateAsync(store.Link(leader).IsFrom)} connections ended"));
            await MeasureAsync(Restart, _ => store.RestartAsync());
        }
    }

    public async Task StepDownAsync(int times)
    {
        for (var i = 0; i < times; i++)
        {
            await load.AnswersAsync(_settled);
            var leader = await cluster.WaitForLeaderAsync();
            var (node, epoch) = (cluster.Node(leader), leader.Epoch);
            var began = TimeProvider.System.GetTimestamp();
            var answer = await cluster.StepDownAsync(node);
            await LeaderAfterAsync(epoch, Running.Except([node]));
            Note(StepDown, new TrialCost(TimeProvider.System.GetElapsedTime(began), TimeSpan.Zero));
            if (answer is not "accepted")
            {
                Broken.Add($"a step-down {answer}");
            }
        }
    }

    /// <summary>A node that was never there joins, and nobody else's settings change.</summary>
    public async Task JoinAsync(NodeProcess node)
    {
        await load.AnswersAsync(_settled);
        node.Start();
        await cluster.WaitUntilServingAsync(node);
        await cluster.WaitForLeaderAsync();
        Through();
        await load.AnswersAsync(_settled);
        var known = (await cluster.SendAsync(node, "GET", "/_ha/peers")).Json.GetArrayLength();
        say($"{node.Id} joined; the store knows of {known} members");
        Require(known == cluster.Nodes.Count, $"{node.Id} joined and sees {known} of {cluster.Nodes.Count} members");
    }

    /// <summary>A node leaves for good.</summary>
    public async Task LeaveAsync(NodeProcess node)
    {
        await load.AnswersAsync(_settled);
        load.Through([.. Running.Except([node]).Select(n => (Door)n)]);
        node.Terminate();
        await node.WhenDead.WaitAsync(_patience);
        await cluster.WaitForLeaderAsync();
        await load.AnswersAsync(_settled);
        var left = await Eventually.NotNull(async () =>
        {
            var peers = (await cluster.SendAsync(Running.First(), "GET", "/_ha/peers")).Json;
            var up = peers.EnumerateArray().Count(p => p.GetProperty("up").GetBoolean());
            return up == Running.Count() ? $"{up} members are up" : null;
        }, what: $"the others see that {node.Id} has left");
        say($"{node.Id} left; {left}");
    }

    /// <summary>The store is away for longer than a write is held.</summary>
    public async Task StoreAwayAsync()
    {
        var (_, epoch) = await SettledLeaderAsync();
        var away = TimeProvider.System.GetTimestamp();
        _away = (away, long.MaxValue);
        await store.Keeper.KillAsync();
        await Eventually.True(
            async () => (await AnswersOfAllAsync()).All(a => a is { IsSelf: false, NodeId: "" }), _patience, "nobody leads while the store is away");
        var ended = TimeProvider.System.GetElapsedTime(away);
        Require(ended <= cluster.Lease + _endsBeyondLease + slack, $"the store was away for {ended.TotalMilliseconds:0} ms and somebody still led");

        var began = TimeProvider.System.GetTimestamp();
        var refused = await cluster.AddAsync(Running.First(), "while the store is away", key: Guid.NewGuid().ToString("N"));
        var held = TimeProvider.System.GetElapsedTime(began);
        Require(refused.Status == 503 && refused.Header("X-Base-Not-Executed") is not null && held > cluster.Lease,
            $"a write while the store was away got {refused.Status} after {held.TotalMilliseconds:0} ms: {refused.Body}");
        foreach (var node in Running)
        {
            var read = await cluster.SendAsync(node, "GET", "/notes?after=0");
            Require(read.Status == 200, $"a read while the store was away got {read.Status} from {node.Id}");
        }

        await store.Keeper.StartAsync();
        var back = TimeProvider.System.GetTimestamp();
        await LeaderAfterAsync(epoch, Running);
        Note(Back, new TrialCost(TimeProvider.System.GetElapsedTime(back), TimeSpan.Zero));
        await cluster.WaitForLeaderAsync(epoch);
        _away.To = back;
        say($"store away: nobody led after {ended.TotalMilliseconds:0} ms, reads went on, a write was refused after {held.TotalMilliseconds:0} ms");
        await load.AnswersAsync(_settled);
    }

    private async Task KillAsync() => await AtLeaderAsync(Kill, async leader =>
    {
        leader.Kill();
        await leader.WhenDead;
    }, async leader =>
    {
        leader.Start();
        await cluster.WaitUntilServingAsync(leader);
    });

    private Task AtLeaderAsync(string what, Action<NodeProcess> begin, Action<NodeProcess> end) => AtLeaderAsync(what, leader =>
    {
        begin(leader);
        return Task.CompletedTask;
    }, async leader =>
    {
        await Task.Delay(cluster.Lease * 3);
        end(leader);
    });

    /// <summary>Something from which another has to take over, seen by the clients of the others.</summary>
    private async Task AtLeaderAsync(string what, Func<NodeProcess, Task> begin, Func<NodeProcess, Task> end)
    {
        var (leader, epoch) = await SettledLeaderAsync();
        var others = Running.Except([leader]).ToArray();
        load.Through([.. others.Select(n => (Door)n)]);

        // What was sent through the leader itself has no living node to wait for: let it be answered first.
        await Eventually.True(() => load.InFlightThrough(leader) == 0, _patience, "the leader's own clients are answered");
        var began = TimeProvider.System.GetTimestamp();
        await begin(leader);
        await LeaderAfterAsync(epoch, others);
        await load.AnswersAsync(1.5 * _settled);
        await NoteFirstWriteAsync(what, began, notBy: leader.Id);
        await end(leader);
        await cluster.WaitForLeaderAsync(epoch);
        Through();
    }

    /// <summary>Something after which the leader may well be the same.</summary>
    private async Task MeasureAsync(string what, Func<NodeProcess, Task> act)
    {
        var (leader, _) = await SettledLeaderAsync();
        var began = TimeProvider.System.GetTimestamp();
        await act(leader);
        await cluster.WaitForLeaderAsync();
        await load.AnswersAsync(1.5 * _settled);
        await NoteFirstWriteAsync(what, began);
    }

    private async Task NoteFirstWriteAsync(string what, long began, string? notBy = null)
    {
        var first = await load.FirstAcknowledgedAsync(began, what, notBy);
        Note(what, new TrialCost(first, load.LongestWait(began, 4 * cluster.Lease)));
    }

    private void Note(string what, TrialCost cost)
    {
        (Costs.TryGetValue(what, out var costs) ? costs : Costs[what] = []).Add(cost);
        say($"{what}: {cost.First.TotalMilliseconds:0} ms{(cost.Worst == TimeSpan.Zero ? "" : $", longest wait {cost.Worst.TotalMilliseconds:0} ms")}");
    }

    private void Require(bool holds, string what)
    {
        if (!holds)
        {
            Broken.Add(what);
        }
    }

    private void Through() => load.Through([.. Running.Select(n => (Door)n)]);

    private async Task<(NodeProcess Node, long Epoch)> SettledLeaderAsync()
    {
        await load.AnswersAsync(_settled);
        var leader = await cluster.WaitForLeaderAsync();
        return (cluster.Node(leader), leader.Epoch);
    }

    /// <summary>As soon as one of the nodes says that it leads in a later epoch, whatever the others know.</summary>
    private Task LeaderAfterAsync(long epoch, IEnumerable<NodeProcess> among) => Eventually.True(
        async () => (await Task.WhenAll(among.Select(cluster.LeaderAsync))).Any(a => a is { IsSelf: true } && a.Epoch > epoch),
        _patience, $"one leads after epoch {epoch}");

    private Task<LeaderAnswer?[]> AnswersOfAllAsync() => Task.WhenAll(Running.Select(cluster.LeaderAsync));
}
