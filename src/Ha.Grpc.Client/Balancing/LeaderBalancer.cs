using Grpc.Core;
using Grpc.Net.Client.Balancer;
using Ha.Grpc.Client.Repeating;
using Ha.Grpc.Client.Resolving;

namespace Ha.Grpc.Client.Balancing;

/// <summary>Makes the balancers of the policy <c>ha_leader</c>.</summary>
/// <param name="options">Validated.</param>
/// <param name="connections">Of the channel.</param>
/// <param name="connectTimeout">What an attempt to connect has.</param>
/// <param name="end">Ends all watches.</param>
internal sealed class LeaderBalancerFactory(
    HaLeaderOptions options, HttpMessageInvoker connections, TimeSpan connectTimeout, CancellationToken end) : LoadBalancerFactory
{
    public const string Policy = "ha_leader";

    public override string Name => Policy;

    public override LoadBalancer Create(LoadBalancerOptions channel) =>
        new LeaderBalancer(
            channel.Controller, options, connections, connectTimeout, new ClientLog(channel.LoggerFactory.CreateLogger("Ha.Grpc.Client")), end);
}

/// <summary>
/// Keeps a connection and a watch of health open to every node, and lets calls go to the one that says SERVING. Thread-safe. No callback
/// of the channel's runs under the lock: the channel calls in here under one of its own.
/// </summary>
internal sealed class LeaderBalancer : LoadBalancer
{
    public const string LostConnection = "has lost its connection";

    private const int LongestTrouble = 100;

    private static readonly TimeSpan _pauseAfterFault = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly IChannelControlHelper _controller;
    private readonly HaLeaderOptions _options;
    private readonly HttpMessageInvoker _connections;
    private readonly TimeSpan _connectTimeout;
    private readonly ClientLog _log;
    private readonly CancellationTokenRegistration _end;
    private Node[] _nodes = [];
    private Status? _unresolved;
    private bool _isPart;
    private long _changes;
    private View _view = View.Nothing;
    private bool _publishing;
    private bool _changed;
    private bool _disposed;

    public LeaderBalancer(
        IChannelControlHelper controller,
        HaLeaderOptions options,
        HttpMessageInvoker connections,
        TimeSpan connectTimeout,
        ClientLog log,
        CancellationToken end)
    {
        (_controller, _options, _connections, _connectTimeout, _log) = (controller, options, connections, connectTimeout, log);
        _end = end.UnsafeRegister(static self => ((LeaderBalancer)self!).Dispose(), this);
    }

    /// <summary>Where calls go now.</summary>
    public View Now => Volatile.Read(ref _view);

    public override void UpdateChannelState(ChannelState state)
    {
        if (state.Status.StatusCode != StatusCode.OK || state.Addresses is not { Count: > 0 } addresses)
        {
            Change(() => _unresolved = state.Status.StatusCode == StatusCode.OK
                ? new Status(StatusCode.Unavailable, "The address of the channel names no node.")
                : new Status(StatusCode.Unavailable, state.Status.Detail, state.Status.DebugException));
            return;
        }

        // What stays keeps its connection and its watch.
        var kept = _nodes.Where(node => addresses.Any(node.IsFor)).ToArray();
        Node[] made = [.. addresses.Where(address => !kept.Any(node => node.IsFor(address))).Select(Make)];
        var gone = _nodes.Except(kept).ToArray();
        var isOpen = Change(() =>
        {
            (_unresolved, _isPart) = (null, addresses.Any(NodeAddress.IsOfPart));
            _nodes = [.. kept, .. made];
        });
        Array.ForEach(isOpen ? gone : made, static node => node.Dispose());
        Array.ForEach(isOpen ? made : [], static node => node.Start());
    }

    public override void RequestConnection() => Array.ForEach(_nodes, static node => node.Hurry());

    public void OnState(Node node, ConnectivityState state, string? trouble)
    {
        Change(() =>
        {
            if (state != ConnectivityState.Ready && node.Health != NodeHealth.Unknown)
            {
                // What answers at this address next may be another process.
                (node.Health, node.Trouble) = (NodeHealth.Unknown, LostConnection);
            }

            node.State = state;
            node.Trouble = trouble ?? node.Trouble;
            node.IsSettled |= state == ConnectivityState.TransientFailure;
        });
        if (state is not (ConnectivityState.Idle or ConnectivityState.TransientFailure))
        {
            return;
        }

        // Lost, or not to be had: its name may stand for another address by now.
        try
        {
            _controller.RefreshResolver();
        }
        catch (ObjectDisposedException)
        {
            // The channel ends: its resolver first, then its connections.
        }
    }

    public void OnSettled(Node node) => Change(() => node.IsSettled = true);

    public void OnHealth(Node node, NodeHealth health, string trouble) => Change(() =>
    {
        (node.IsSettled, node.Trouble) = (true, trouble);
        node.KnowsName = health is NodeHealth.Serving or NodeHealth.NotServing || (node.KnowsName && health != NodeHealth.Plain);
        if (node.Health != health)
        {
            (node.Health, node.Changed) = (health, ++_changes);
        }
    });

    protected override void Dispose(bool disposing)
    {
        Node[] nodes;
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            nodes = _nodes;
            (_nodes, _disposed) = ([], true);
            Volatile.Write(ref _view, View.Ended);
        }

        Array.ForEach(nodes, static node => node.Dispose());
        _end.Unregister();
        Publish();
        base.Dispose(disposing);
    }

    private Node Make(BalancerAddress address) => new(
        this, () => _controller.CreateSubchannel(new SubchannelOptions([address])), address, _connections, _options, _connectTimeout, _log);

    /// <returns>False: the channel has ended.</returns>
    private bool Change(Action what)
    {
        View before, now;
        Node[] waiting;
        lock (_lock)
        {
            if (_disposed)
            {
                return false;
            }

            what();
            (before, now) = (_view, Look());
            if (now.IsLike(before))
            {
                return true;
            }

            Volatile.Write(ref _view, now);
            waiting = before.CanPick && !now.CanPick ? _nodes : [];
        }

        Array.ForEach(waiting, static node => node.Hurry());
        Publish();
        if (before.Leader != now.Leader)
        {
            _log.LeaderMoved(before.Leader?.Name, now.Leader?.Name);
        }

        return true;
    }

    /// <summary>Tells the channel, one at a time and the latest last, and wakes the calls that wait.</summary>
    private void Publish()
    {
        lock (_lock)
        {
            _changed = true;
            if (_publishing)
            {
                return;
            }

            _publishing = true;
        }

        while (true)
        {
            lock (_lock)
            {
                if (!_changed)
                {
                    _publishing = false;
                    return;
                }

                _changed = false;
            }

            try
            {
                _controller.UpdateState(new BalancerState(Now.State, new LeaderPicker(this)));
            }
            catch (Exception error)
            {
                lock (_lock)
                {
                    _publishing = false;
                }

                _ = PublishLaterAsync();
                _log.Failed("Telling the channel where calls go", error);
                return;
            }
        }
    }

    private async Task PublishLaterAsync()
    {
        await Task.Delay(_pauseAfterFault, _options.Clock).ConfigureAwait(false);
        if (Now != View.Ended)
        {
            Publish();
        }
    }

    /// <summary>A server's own words may be as long as it likes, and stand in every error.</summary>
    private static string Cut(string trouble) => trouble.Length <= LongestTrouble ? trouble : trouble[..(LongestTrouble - 1)] + "…";

    private View Look()
    {
        if (_nodes.Length == 0)
        {
            return View.Nothing with { Failure = _unresolved is { } fault ? Failure.NoLeader(fault.Detail, fault.DebugException) : null };
        }

        var ready = _nodes.Where(static node => node.State == ConnectivityState.Ready).ToArray();

        // Two at once: the word of the old leader is late, so the newest one counts.
        if (ready.Where(static node => node.Health == NodeHealth.Serving).MaxBy(static node => node.Changed) is { } leader)
        {
            return new View(leader, [], null);
        }

        if (_isPart || !_nodes.All(static node => node.IsSettled))
        {
            return View.Nothing;
        }

        // A server without the plugin executes whatever it gets, so none stands in for a leader that is away.
        var plain = _nodes.Any(static node => node.KnowsName) ? []
            : ready.Where(static node => node.Health == NodeHealth.Plain).ToArray();
        return plain.Length > 0
            ? new View(null, plain, null)
            : new View(null, [], Failure.NoLeader(string.Join("; ", _nodes.Select(static node => $"{node.Name} {Cut(node.Trouble)}"))));
    }
}

/// <summary>Where calls go at one moment: to the leader, or to each of those that know no health, in turn.</summary>
/// <param name="Leader">Null when nobody says SERVING.</param>
/// <param name="Plain">Empty when there is a leader.</param>
/// <param name="Failure">What calls that do not wait end with. Null, with nobody to pick: all of them wait for the first word.</param>
internal sealed record View(Node? Leader, Node[] Plain, Status? Failure)
{
    public static readonly View Nothing = new(null, [], null);

    /// <summary>The channel or the services that made it are gone, so calls that wait end as well and none is worth a repeat.</summary>
    public static readonly View Ended = new(null, [], new Status(StatusCode.Cancelled, "The channel has ended."));

    public bool CanPick => Leader is not null || Plain.Length > 0;

    public ConnectivityState State => CanPick ? ConnectivityState.Ready
        : Failure is null ? ConnectivityState.Connecting
        : ConnectivityState.TransientFailure;

    public bool IsLike(View other) =>
        Leader == other.Leader && Plain.SequenceEqual(other.Plain) && Failure?.Detail == other.Failure?.Detail;
}

/// <summary>Asks the balancer at each pick. A new one is made when calls that wait are to ask again.</summary>
internal sealed class LeaderPicker(LeaderBalancer balancer) : SubchannelPicker
{
    private int _turn = -1;

    public override PickResult Pick(PickContext context)
    {
        var now = balancer.Now;
        return now.Leader is { } leader ? PickResult.ForSubchannel(leader.Subchannel)
            : now.Plain is { Length: > 0 } plain ? PickResult.ForSubchannel(InTurn(plain).Subchannel)
            : now.Failure is { } failure ? now == View.Ended ? PickResult.ForDrop(failure) : PickResult.ForFailure(failure)
            : PickResult.ForQueue();
    }

    private Node InTurn(Node[] nodes) => nodes[(int)((uint)Interlocked.Increment(ref _turn) % nodes.Length)];
}
