using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Net.Client.Balancer;
using Ha.Client.Routing;
using Ha.Grpc.Client.Repeating;
using Ha.Grpc.Client.Resolving;
using HealthClient = Grpc.Health.V1.Health.HealthClient;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace Ha.Grpc.Client.Balancing;

/// <summary>What a node's health says of it.</summary>
internal enum NodeHealth
{
    /// <summary>Nothing yet, or not any more.</summary>
    Unknown,

    /// <summary>It leads.</summary>
    Serving,

    /// <summary>It does not.</summary>
    NotServing,

    /// <summary>It has no health: a server without the plugin, as good as any other of them.</summary>
    Plain,
}

/// <summary>
/// One node: the connection that calls use, and the watch that runs over it, both for as long as the node is in the list.
/// </summary>
internal sealed class Node : IDisposable
{
    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan _longestPause = TimeSpan.FromSeconds(1);

    // While nobody leads, whoever comes back may.
    private static readonly TimeSpan _longestPauseWithoutLeader = TimeSpan.FromMilliseconds(200);

    // Of UNIMPLEMENTED, which may be a proxy's word while a node restarts.
    private static readonly TimeSpan _firstRest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _longestRest = TimeSpan.FromSeconds(10);

    // Beyond the time that an attempt to connect has.
    private static readonly TimeSpan _longestSilence = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource _ended = new();
    private readonly LeaderBalancer _balancer;
    private readonly Func<Subchannel> _open;
    private readonly BalancerAddress _address;
    private readonly HttpMessageInvoker _connections;
    private readonly HaLeaderOptions _options;
    private readonly TimeSpan _connectTimeout;
    private readonly ClientLog _log;
    private Subchannel _subchannel;
    private TaskCompletionSource _turn = NewTurn();
    private long _stirred;
    private CancellationTokenSource _lost = new();
    private bool _isConnected;
    private int _failures;
    private int _rests;

    public Node(
        LeaderBalancer balancer,
        Func<Subchannel> open,
        BalancerAddress address,
        HttpMessageInvoker connections,
        HaLeaderOptions options,
        TimeSpan connectTimeout,
        ClientLog log)
    {
        (_balancer, _open, _address, _connections, _options, _log) = (balancer, open, address, connections, options, log);
        _connectTimeout = connectTimeout;
        Name = NodeAddress.NameOf(address);
        _subchannel = Open();
    }

    public Subchannel Subchannel => Volatile.Read(ref _subchannel);

    /// <summary>As it was written in the list, and the address that its name stands for.</summary>
    public string Name { get; }

    /// <summary>Of the connection. Belongs to the balancer's lock, like all that follows.</summary>
    public ConnectivityState State { get; set; } = ConnectivityState.Idle;

    public NodeHealth Health { get; set; }

    /// <summary>When <see cref="Health"/> changed, by the balancer's count.</summary>
    public long Changed { get; set; }

    /// <summary>Its first word has come, or will be long in coming: nobody waits for it any more.</summary>
    public bool IsSettled { get; set; }

    /// <summary>Its health spoke of the name when it last spoke, so it has the plugin, even while it is away.</summary>
    public bool KnowsName { get; set; }

    /// <summary>Why it cannot be picked, for people.</summary>
    public string Trouble { get; set; } = "has not answered";

    public bool IsFor(BalancerAddress address) => NodeAddress.AreSame(_address, address);

    public void Start()
    {
        _ = SettleAsync();
        _ = KeepAsync();
    }

    /// <summary>Ends a pause before the next attempt to connect.</summary>
    public void Hurry() => Interlocked.Exchange(ref _turn, NewTurn()).TrySetResult();

    public void Dispose()
    {
        // Under a lock of the channel's, maybe, and the end of a watch takes one of its connection's, under which that waits for the channel's.
        _ = _ended.CancelAsync();
        Subchannel.Dispose();
    }

    private static TaskCompletionSource NewTurn() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Subchannel Open()
    {
        var subchannel = _open();
        subchannel.OnStateChanged(state =>
        {
            if (subchannel == Subchannel)
            {
                OnState(state);
            }
        });
        Volatile.Write(ref _stirred, _options.Clock.GetTimestamp());
        return subchannel;
    }

    /// <summary>
    /// Takes another subchannel. One that is asked to connect in the moment in which its last attempt ends says that it connects, and does
    /// not, and asking it again changes nothing (Grpc.Net.Client 2.85).
    /// </summary>
    private void OpenAgain()
    {
        Interlocked.Exchange(ref _subchannel, Open()).Dispose();
        if (_ended.IsCancellationRequested)
        {
            Subchannel.Dispose();
        }
    }

    private void OnState(SubchannelState state)
    {
        Volatile.Write(ref _stirred, _options.Clock.GetTimestamp());

        // Told under another lock than it was set, so what it says may have been over for a while.
        var isConnected = state.State == ConnectivityState.Ready && Subchannel.CurrentAddress is not null;
        var wasConnected = Interlocked.Exchange(ref _isConnected, isConnected);
        if (wasConnected && !isConnected)
        {
            _ = EndAsync(Interlocked.Exchange(ref _lost, new CancellationTokenSource()));
        }

        if (wasConnected || state.State != ConnectivityState.Idle)
        {
            // An attempt that ends as idle has not quite ended, and the next one had better wait (see OpenAgain).
            Hurry();
        }

        var now = isConnected || state.State != ConnectivityState.Ready ? state.State : ConnectivityState.Idle;
        _balancer.OnState(this, now, now == ConnectivityState.TransientFailure ? Failure.Describe(state.Status) : null);
    }

    /// <summary>Ends a watch that has outlived the connection, over one that the balancer does not know of, so that the next one speaks.</summary>
    private async Task EndAsync(CancellationTokenSource lost)
    {
        // By itself it ends with the reason.
        await Task.Delay(_longestPause, _options.Clock).ConfigureAwait(false);
        await lost.CancelAsync().ConfigureAwait(false);
    }

    private async Task SettleAsync()
    {
        try
        {
            await Task.Delay(LeaderSetup.ConnectTimeout, _options.Clock, _ended.Token).ConfigureAwait(false);
            _balancer.OnSettled(this);
        }
        catch (OperationCanceledException)
        {
            // Nobody asks any more.
        }
    }

    /// <summary>Connects, watches, and begins anew when either ends.</summary>
    private async Task KeepAsync()
    {
        // The transport is the channel's own, so what is made here has no connections.
        using var channel = GrpcChannel.ForAddress(NodeAddress.UrlOf(_address), new GrpcChannelOptions
        {
            HttpHandler = new NodeTransport(_connections, () => Subchannel, _address),
            DisposeHttpClient = true,
        });
        var health = new HealthClient(channel);
        while (!_ended.IsCancellationRequested)
        {
            try
            {
                var lost = await ConnectAsync().ConfigureAwait(false);
                await WatchAsync(health, lost).ConfigureAwait(false);
            }
            catch (Exception) when (_ended.IsCancellationRequested)
            {
                // The node has left the list, or the channel is gone.
            }
            catch (Exception error)
            {
                // Of a handler around the connections, say. Without this task calls would wait for ever.
                _balancer.OnHealth(this, NodeHealth.Unknown, error.Message);
                _log.Failed($"The watch of {Name}", error);
                await Task.Delay(_longestPause, _options.Clock, _ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <returns><see cref="_lost"/> as long as the connection is there, and cancelled a while later.</returns>
    private async Task<CancellationTokenSource> ConnectAsync()
    {
        if (_failures > 0)
        {
            // What accepts connections need not answer.
            await Task.Delay(Pause(_failures - 1), _options.Clock, _ended.Token).ConfigureAwait(false);
        }

        for (var step = 0; ; step++)
        {
            var (turn, lost) = (Volatile.Read(ref _turn).Task, Volatile.Read(ref _lost));
            if (Volatile.Read(ref _isConnected))
            {
                return lost;
            }

            if (_options.Clock.GetElapsedTime(Volatile.Read(ref _stirred)) > _connectTimeout + _longestSilence)
            {
                OpenAgain();
            }

            // In a pause of the connection's own, which grows to minutes, this ends it.
            Subchannel.RequestConnection();
            await WaitAsync(turn, Pause(step)).ConfigureAwait(false);
        }
    }

    private async Task WatchAsync(HealthClient health, CancellationTokenSource lost)
    {
        var (begun, answered) = (_options.Clock.GetTimestamp(), false);
        var trouble = "has ended its watch";
        using var over = CancellationTokenSource.CreateLinkedTokenSource(lost.Token, _ended.Token);
        using var watch = health.Watch(new HealthCheckRequest { Service = _options.HealthService }, cancellationToken: over.Token);
        try
        {
            var words = watch.ResponseStream;
            for (var more = await FirstAsync(words).ConfigureAwait(false); more;
                more = await words.MoveNext(CancellationToken.None).ConfigureAwait(false))
            {
                (answered, _rests) = (true, 0);
                switch (words.Current.Status)
                {
                    case ServingStatus.Serving:
                        _balancer.OnHealth(this, NodeHealth.Serving, "leads");
                        break;
                    case ServingStatus.ServiceUnknown:
                        _balancer.OnHealth(this, NodeHealth.NotServing, $"does not know the name '{_options.HealthService}'");
                        break;
                    default:
                        _balancer.OnHealth(this, NodeHealth.NotServing, "does not lead");
                        break;
                }
            }
        }
        catch (RpcException error) when (error.StatusCode == StatusCode.Unimplemented)
        {
            (answered, trouble) = (true, "has no health");
            _balancer.OnHealth(this, NodeHealth.Plain, trouble);
            await RestAsync(lost).ConfigureAwait(false);
        }
        catch (RpcException error)
        {
            trouble = lost.IsCancellationRequested ? LeaderBalancer.LostConnection : Failure.Describe(error.Status);
        }

        _ended.Token.ThrowIfCancellationRequested();
        _log.WatchEnded(Name, trouble);
        if (!answered || lost != Volatile.Read(ref _lost))
        {
            // Otherwise its last word counts until the next watch over this connection has spoken: proxies cut streams.
            _balancer.OnHealth(this, NodeHealth.Unknown, trouble);
        }

        var hasLasted = answered && _options.Clock.GetElapsedTime(begun) > _longestPause;
        _failures = hasLasted ? 0 : _failures + 1;
    }

    /// <summary>A watch that stays silent ends what the one before it said.</summary>
    private async Task<bool> FirstAsync(IAsyncStreamReader<HealthCheckResponse> words)
    {
        var first = words.MoveNext(CancellationToken.None);
        try
        {
            return await first.WaitAsync(LeaderSetup.ConnectTimeout, _options.Clock).ConfigureAwait(false);
        }
        catch (TimeoutException) when (!first.IsCompleted)
        {
            _balancer.OnHealth(this, NodeHealth.Unknown, "does not answer its watch");
            return await first.ConfigureAwait(false);
        }
    }

    /// <summary>Until it is time to ask again, or the connection is lost.</summary>
    private async Task RestAsync(CancellationTokenSource lost)
    {
        var begun = _options.Clock.GetTimestamp();
        var rest = Backoff.Delay(_firstRest, _longestRest, _rests++, _options.Jitter());
        while (true)
        {
            var turn = Volatile.Read(ref _turn).Task;
            var left = rest - _options.Clock.GetElapsedTime(begun);
            if (left <= TimeSpan.Zero || lost != Volatile.Read(ref _lost))
            {
                return;
            }

            await WaitAsync(turn, left).ConfigureAwait(false);
        }
    }

    private async Task WaitAsync(Task turn, TimeSpan longest)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(_ended.Token);
        await Task.WhenAny(turn, Task.Delay(longest, _options.Clock, over.Token)).ConfigureAwait(false);
        await over.CancelAsync().ConfigureAwait(false);
        _ended.Token.ThrowIfCancellationRequested();
    }

    private TimeSpan Pause(int step) =>
        Backoff.Delay(_firstPause, _balancer.Now.CanPick ? _longestPause : _longestPauseWithoutLeader, step, _options.Jitter());
}
