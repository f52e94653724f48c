using System.Globalization;
using Ha.Configuration;
using Ha.Telemetry;
using Ha.Testing.Virtual;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ha.Testing;

/// <summary>
/// A whole cluster in one process: real <see cref="LuxLeader"/>s or <see cref="LeaseLeader"/>s with their clocks, timers,
/// signatures and messages, on time that passes only here, over a network in memory that can be cut, delayed and healed:
/// <code>
/// using var cluster = new TestCluster("a", "b", "c");
/// var first = cluster.ExpectOneLeader(within: TimeSpan.FromSeconds(5));
/// first.Kill();
/// var second = cluster.ExpectOneLeader(within: TimeSpan.FromSeconds(5));
/// cluster.ExpectNeverTwoLeaders();
/// </code>
/// </summary>
/// <remarks>
/// The same calls make the same history, event by event, as long as no application takes part: what an application does takes
/// real time, during which virtual time stands still, or goes on if the test says so. No sleeps, no timers of the machine, no
/// ports, nothing static: any number of clusters side by side. A message takes 1 ms one way. Thread-safe; calls wait for each
/// other.
/// </remarks>
public sealed class TestCluster : IDisposable
{
    /// <summary>The place of the lease store in the network: <c>cluster.Cut("a", TestCluster.Store)</c>.</summary>
    public const string Store = "store";

    private readonly Lock _running = new();
    private readonly VirtualTime _time = new();
    private readonly Network _network;
    private readonly HashedChances _chances;
    private readonly ForeignCalls _foreign = new();
    private readonly ClusterHistory _history;
    private readonly TestNode[] _nodes;
    private readonly TestArbiter _arbiter;
    private readonly Action<HaOptions>? _configure;
    private readonly InMemoryLeaseStore _store;
    private bool _disposed;

    /// <summary>A cluster whose members elect by votes.</summary>
    /// <param name="nodeIds">As of the other constructor.</param>
    public TestCluster(params string[] nodeIds)
        : this(nodeIds, TestArbiter.Peers)
    {
    }

    /// <summary>All nodes start at once; nothing happens until time passes.</summary>
    /// <param name="nodeIds">Each is also a host's name: letters, digits and hyphens.</param>
    /// <param name="arbiter">Who decides.</param>
    /// <param name="configure">
    /// Changes each node's options: intervals, quorum, <see cref="HaOptions.RaiseFence"/>. Id, URLs, members, store and keys are set already.
    /// </param>
    /// <param name="seed">Chooses the nonces and the jitter; the same again for the same.</param>
    /// <exception cref="ArgumentException">There is no node, or one twice, or an id is no host's name.</exception>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">The options are not valid.</exception>
    /// <exception cref="InvalidOperationException">The package <c>Ha</c> has another version than this one.</exception>
    public TestCluster(IReadOnlyList<string> nodeIds, TestArbiter arbiter, Action<HaOptions>? configure = null, int seed = 1)
    {
        ArgumentNullException.ThrowIfNull(nodeIds);
        SameVersion.Check();
        if (nodeIds.Count == 0 || nodeIds.Distinct(StringComparer.Ordinal).Count() != nodeIds.Count)
        {
            throw new ArgumentException("A cluster has at least one node, and each once.", nameof(nodeIds));
        }

        if (nodeIds.FirstOrDefault(id => id is null or Store || Uri.CheckHostName(id) != UriHostNameType.Dns || id.Any(char.IsAsciiLetterUpper)) is { } odd)
        {
            throw new ArgumentException($"'{odd}' is no name of a host in lower case, or the store's.", nameof(nodeIds));
        }

        (_arbiter, _configure, _chances) = (arbiter, configure, new HashedChances(seed));
        _network = new Network(_time);
        _store = new InMemoryLeaseStore(new NodeClock(_time, new NodeLife(_time)));
        _nodes = [.. nodeIds.Select(id => new TestNode(this, id, new TestProcess(id, new NodeLife(_time))))];
        _history = new ClusterHistory(_time, _nodes);
        CleanContext.Run(() => Array.ForEach(_nodes, node => node.Process = Start(node)));
    }

    /// <summary>The nodes, in the order in which they were named.</summary>
    public IReadOnlyList<TestNode> Nodes => _nodes;

    /// <summary>How much time has passed since the beginning.</summary>
    public TimeSpan Elapsed => _time.Elapsed;

    /// <summary>The node that leads now; null: none does, or several do.</summary>
    public TestNode? Leader => _nodes.Where(node => node.IsLeader).Take(2).ToArray() is [var one] ? one : null;

    /// <summary>What each node saw and what was done to it, line by line with the time: who leads, follows, knows nobody.</summary>
    public IReadOnlyList<string> History => Do(() => _history.Lines);

    /// <summary>The node of this id.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public TestNode this[string id] =>
        Array.Find(_nodes, node => node.Id == id) ?? throw new ArgumentException($"There is no node '{id}'.", nameof(id));

    /// <summary>Lets time pass.</summary>
    /// <param name="time">How much, 0 or more.</param>
    public void Run(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        RunUntil(static () => false, time);
    }

    /// <summary>Lets time pass until something is so; looks after each event.</summary>
    /// <param name="within">How much time at most.</param>
    /// <param name="what">For the message: follows "Expected".</param>
    /// <param name="condition">Only looks; from a test's own thread too, so do not wait in it.</param>
    /// <exception cref="TestClusterException">It is not so in time.</exception>
    public void ExpectWithin(TimeSpan within, string what, Func<bool> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        if (!RunUntil(condition, within))
        {
            throw Fault(string.Create(CultureInfo.InvariantCulture, $"Expected {what} within {within.TotalSeconds:0.###} s of virtual time"));
        }
    }

    /// <summary>
    /// Exactly one node leads, and every node that runs and can hear of it follows it. Lets time pass until it is so.
    /// </summary>
    /// <param name="within">How much time at most.</param>
    /// <returns>The leader.</returns>
    /// <exception cref="TestClusterException">It is not so in time.</exception>
    public TestNode ExpectOneLeader(TimeSpan within)
    {
        TestNode? leader = null;
        ExpectWithin(within, "exactly one leader that all who can hear it follow", () =>
        {
            leader = Leader;
            return leader is not null && Array.TrueForAll(_nodes, node => Follows(node, leader));
        });
        return leader!;
    }

    /// <summary>No node leads. Lets time pass until it is so.</summary>
    /// <param name="within">How much time at most.</param>
    /// <exception cref="TestClusterException">It is not so in time.</exception>
    public void ExpectNoLeader(TimeSpan within) =>
        ExpectWithin(within, "no leader", () => !Array.Exists(_nodes, node => node.IsLeader));

    /// <summary>At no moment up to now did two nodes lead.</summary>
    /// <exception cref="TestClusterException">There was such a moment.</exception>
    public void ExpectNeverTwoLeaders()
    {
        if (Do(() => _history.TwoLeaders) is { } when)
        {
            throw Fault($"Expected never two leaders, but {when}");
        }
    }

    /// <summary>Each leadership up to now had a higher epoch than all before it.</summary>
    /// <exception cref="TestClusterException">One had not.</exception>
    public void ExpectRisingEpochs()
    {
        if (Do(() => _history.FallenEpoch) is { } when)
        {
            throw Fault($"Expected rising epochs, but {when}");
        }
    }

    /// <summary>Nothing passes between two places any more, what is under way included; both sides only notice that no answer comes.</summary>
    /// <param name="one">A node's id, or <see cref="Store"/>.</param>
    /// <param name="other">Another.</param>
    /// <exception cref="ArgumentException">There is no such place.</exception>
    public void Cut(string one, string other)
    {
        CutOneWay(one, other);
        CutOneWay(other, one);
    }

    /// <summary>As <see cref="Cut"/>, in one direction: requests arrive, and their answers do not, or the other way round.</summary>
    /// <param name="from">A node's id, or <see cref="Store"/>.</param>
    /// <param name="to">Another.</param>
    /// <exception cref="ArgumentException">There is no such place.</exception>
    public void CutOneWay(string from, string to) => Fault(from, to, $"nothing passes from {from} to {to}", () => _network.Cut(from, to));

    /// <summary>From now on messages take so long, in both directions. 1 ms unless it is said.</summary>
    /// <param name="one">A node's id, or <see cref="Store"/>.</param>
    /// <param name="other">Another.</param>
    /// <param name="oneWay">0 or more.</param>
    /// <exception cref="ArgumentException">There is no such place, or the time is negative.</exception>
    public void Delay(string one, string other, TimeSpan oneWay)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(oneWay, TimeSpan.Zero);
        Fault(one, other, string.Create(CultureInfo.InvariantCulture, $"{oneWay.TotalMilliseconds:0.###} ms between {one} and {other}"), () =>
        {
            _network.Delay(one, other, oneWay);
            _network.Delay(other, one, oneWay);
        });
    }

    /// <summary>Undoes every cut and delay.</summary>
    public void Heal() => Do(() =>
    {
        _network.MendAll();
        _history.Add("the network is whole");
    });

    /// <summary>Undoes cuts and delays between two places.</summary>
    /// <param name="one">A node's id, or <see cref="Store"/>.</param>
    /// <param name="other">Another.</param>
    /// <exception cref="ArgumentException">There is no such place.</exception>
    public void Heal(string one, string other) => Fault(one, other, $"{one} and {other} reach each other", () =>
    {
        _network.Mend(one, other);
        _network.Mend(other, one);
    });

    /// <summary>All nodes are gone at once.</summary>
    public void Dispose() => Do(() =>
    {
        _disposed = true;
        foreach (var node in _nodes)
        {
            node.Process.Life.End();
            node.Leader.Dispose();
        }
    });

    internal void Kill(TestNode node) => Do(() =>
    {
        End(node);
        _history.Add($"{node.Id} was killed");
    });

    internal void Restart(TestNode node) => Do(() =>
    {
        End(node);
        _history.Add($"{node.Id} starts");
        node.Process = Start(node);
    });

    internal void Pause(TestNode node) => Do(() =>
    {
        node.Process.Life.Pause();
        _history.Add($"{node.Id} was paused");
    });

    internal void Resume(TestNode node) => Do(() =>
    {
        _history.Add($"{node.Id} goes on");
        node.Process.Life.Resume();
    });

    internal void Stop(TestNode node) => Do(() =>
    {
        HandOver(node);
        End(node);
        _history.Add($"{node.Id} has stopped");
    });

    internal void Isolate(TestNode node) => Do(() =>
    {
        foreach (var other in _nodes.Select(other => other.Id).Append(Store).Where(other => other != node.Id))
        {
            _network.Cut(node.Id, other);
            _network.Cut(other, node.Id);
        }

        _history.Add($"{node.Id} was cut off");
    });

    internal HandoffStart StepDown(TestNode node, string? toNodeId) => Do(() =>
    {
        var start = node.Leader.Control.StepDown(toNodeId);
        _history.Add($"{node.Id} was asked to step down{(toNodeId is null ? "" : $" for {toNodeId}")}: {start.Result}");
        return start;
    });

    internal HandoffStart StandAside(TestNode node, string? toNodeId) => Do(() =>
    {
        var start = node.Leader.Control.Pause(toNodeId);
        _history.Add($"{node.Id} was told not to lead{(toNodeId is null ? "" : $", for {toNodeId}")}: {start.Result}");
        return start;
    });

    internal bool StandAgain(TestNode node) => Do(() =>
    {
        _history.Add($"{node.Id} may lead again");
        return node.Leader.Control.Resume();
    });

    internal bool ReportHealth(TestNode node, string? trouble) => Do(() =>
    {
        _history.Add(trouble is null ? $"{node.Id} is healthy" : $"{node.Id} is not healthy: {trouble}");
        return node.Leader.Control.ReportHealth(trouble);
    });

    internal void CheckFence(TestNode node, long epoch) => Do(() => node.Leader.Control.CheckFence(epoch));

    /// <summary>Hands over for good and lets the time pass that it takes; what waits for a lease or a drain must not wait for a test.</summary>
    internal void HandOver(TestNode node) => Do(() =>
    {
        if (_disposed || !node.IsAlive || node.IsPaused)
        {
            return;
        }

        _history.Add($"{node.Id} stops");
        _ = node.Leader.StopAsync();
        var options = Options(node);
        var lease = HaSettings.Parse(options).LeaseTimeout;
        RunUntil(() => !node.IsLeader, options.DrainTimeout + lease);
        RunUntil(() => Leader is not null, lease);
    });

    private bool RunUntil(Func<bool> condition, TimeSpan within) => Do(() =>
    {
        var end = _time.Elapsed + within;
        while (true)
        {
            _foreign.Wait();
            _history.Look();
            if (condition())
            {
                return true;
            }

            if (!_time.Next(end) && !_foreign.Any)
            {
                _history.Look();
                return condition();
            }
        }
    });

    private static void End(TestNode node)
    {
        node.Process.Life.End();
        node.Leader.Dispose();
    }

    private TestProcess Start(TestNode node)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var life = new NodeLife(_time);
        var process = new TestProcess(node.Id, life);
        var clock = new NodeClock(_time, life);
        var options = Options(node);
        node.RaiseFence ??= options.RaiseFence;
        options.RaiseFence = (epoch, stop) => RaiseAsync(node, life, epoch, stop);
        var settings = HaSettings.Parse(options);
        var telemetry = new ElectionTelemetry(NullLoggerFactory.Instance, new HaMetrics(null), clock);
        var surroundings = _chances.Of(node) with { Gate = node.Gate, Pool = new AtOnceScheduler() };
        if (_arbiter == TestArbiter.Peers)
        {
            process.Leader = new LuxLeader(settings, new NodeHandler(process, _network, Find), clock, telemetry, surroundings: surroundings);
        }
        else
        {
            process.Store = new NodeStore(process, _network, _store, written: TellAll);
            process.Leader = new LeaseLeader(settings, process.Store, clock, telemetry, surroundings);
        }

        process.Leader.SetReady();
        return process;
    }

    private HaOptions Options(TestNode node)
    {
        var options = new HaOptions { NodeId = node.Id, LocalTarget = node.Url, PublicTarget = node.Url };
        if (_arbiter == TestArbiter.Peers)
        {
            options.ClusterSecrets.Add("of a cluster in one process, and of no use elsewhere");
            Array.ForEach(_nodes, member => options.Peers.Add(member.Url));
        }

        _configure?.Invoke(options);
        return options;
    }

    private ValueTask<long> RaiseAsync(TestNode node, NodeLife life, long epoch, CancellationToken stop) =>
        node.RaiseFence is { } raise
            ? _foreign.Follow(raise(epoch, stop), ended => _time.Plan(TimeSpan.Zero, life, ended))
            : ValueTask.FromResult(0L);

    private void TellAll()
    {
        foreach (var node in _nodes)
        {
            node.Process.Store!.Tell();
        }
    }

    private TestProcess? Find(string host) => Array.Find(_nodes, node => node.Url == $"http://{host}")?.Process;

    private bool Follows(TestNode node, TestNode leader) =>
        node == leader || !node.IsAlive || node.IsPaused || node.Current.LeaderId == leader.Id || !Hears(node, leader);

    private bool Hears(TestNode node, TestNode leader) =>
        _arbiter == TestArbiter.Peers ? Connected(node.Id, leader.Id) : Connected(node.Id, Store) && Connected(leader.Id, Store);

    private bool Connected(string one, string other) => !_network.IsCut(one, other) && !_network.IsCut(other, one);

    private void Fault(string one, string other, string said, Action change)
    {
        foreach (var place in (string[])[one, other])
        {
            if (place != Store || _arbiter != TestArbiter.LeaseStore)
            {
                _ = this[place];
            }
        }

        Do(() =>
        {
            change();
            _history.Add(said);
        });
    }

    private TestClusterException Fault(string message) => Do(() => new TestClusterException(_history.Explain(message)));

    private void Do(Action action) => Do(() =>
    {
        action();
        return true;
    });

    private T Do<T>(Func<T> action)
    {
        lock (_running)
        {
            return CleanContext.Run(action);
        }
    }
}
