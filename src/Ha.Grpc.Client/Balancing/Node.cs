using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Net.Client.Balancer;
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

    /// <summary>It has no health, or none of this name: a server without the plugin, as good as any other.</summary>
    Plain,
}

/// <summary>
/// One node: the connection that calls use, and the watch that runs over it, both for as long as the node is in the list.
/// </summary>
internal sealed class Node : IDisposable
{
    public static readonly BalancerAttributesKey<Node> Key = new("Ha.Node");

    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan _longestPause = TimeSpan.FromSeconds(1);

    // While nobody leads, whoever comes back may.
    private static readonly TimeSpan _longestPauseWithoutLeader = TimeSpan.FromMilliseconds(200);

    private readonly CancellationTokenSource _ended = new();
    private readonly LeaderBalancer _balancer;
    private readonly BalancerAddress _address;
    private readonly HttpMessageInvoker _connections;
    private readonly HaLeaderOptions _options;
    private readonly ClientLog _log;
    private TaskCompletionSource _turn = NewTurn();
    private bool _isConnected;

    public Node(
        LeaderBalancer balancer,
        Subchannel subchannel,
        BalancerAddress address,
        HttpMessageInvoker connections,
        HaLeaderOptions options,
        ClientLog log)
    {
        (_balancer, Subchannel, _address, _connections, _options, _log) = (balancer, subchannel, address, connections, options, log);
        Name = NodeAddress.NameOf(address);
        subchannel.Attributes.Set(Key, this);
        subchannel.OnStateChanged(OnState);
    }

    public Subchannel Subchannel { get; }

    /// <summary>As it was written in the list, and the address that its name stands for.</summary>
    public string Name { get; }

    /// <summary>Of the connection. Belongs to the balancer's lock, like all that follows.</summary>
    public ConnectivityState State { get; set; } = ConnectivityState.Idle;

    public NodeHealth Health { get; set; }

    /// <summary>When <see cref="Health"/> changed, by the balancer's count.</summary>
    public long Changed { get; set; }

    /// <summary>Its first word has come, or will be long in coming: nobody waits for it any more.</summary>
    public bool IsSettled { get; set; }

    /// <summary>It says that it leads, but has refused a call since.</summary>
    public bool IsRefuted { get; set; }

    /// <summary>Why it cannot be picked, for people.</summary>
    public string Trouble { get; set; } = "has not answered";

    public long Moment => _balancer.Moment;

    public bool IsFor(BalancerAddress address) => NodeAddress.AreSame(_address, address);

    public bool IsAt(string url) => NodeAddress.IsAt(_address, url);

    public void Refused(string leader, long epoch, long sent) => _balancer.OnRefused(this, leader, epoch, sent);

    public void Start()
    {
        _ = SettleAsync();
        _ = KeepAsync();
    }

    /// <summary>Ends a pause before the next attempt to connect.</summary>
    public void Hurry() => Interlocked.Exchange(ref _turn, NewTurn()).TrySetResult();

    public void Dispose()
    {
        _ended.Cancel();
        Subchannel.Dispose();
    }

    private static TaskCompletionSource NewTurn() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void OnState(SubchannelState state)
    {
        Volatile.Write(ref _isConnected, state.State == ConnectivityState.Ready);
        Hurry();
        _balancer.OnState(this, state.State, state.State == ConnectivityState.TransientFailure ? Failure.Describe(state.Status) : null);
    }

    private async Task SettleAsync()
    {
        try
        {
            await Task.Delay(LeaderSetup.ConnectTimeout, _options.Clock, _ended.Token);
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
            HttpHandler = new NodeTransport(_connections, Subchannel, _address),
            DisposeHttpClient = true,
        });
        var health = new HealthClient(channel);
        try
        {
            for (var failures = 0; ; failures++)
            {
                await ConnectAsync(failures);
                failures = await WatchAsync(health) ? -1 : failures;
            }
        }
        catch (Exception) when (_ended.IsCancellationRequested)
        {
            // The node has left the list, or the channel is gone.
        }
    }

    /// <param name="failures">How many watches in a row have ended without a word: what accepts connections need not answer.</param>
    private async Task ConnectAsync(int failures)
    {
        if (failures > 0)
        {
            await PauseAsync(failures - 1, CancellationToken.None);
        }

        for (var step = 0; ; step++)
        {
            var turn = Volatile.Read(ref _turn).Task;
            if (Volatile.Read(ref _isConnected))
            {
                return;
            }

            // In a pause of the connection's own, which grows to minutes, this ends it.
            Subchannel.RequestConnection();
            using var over = CancellationTokenSource.CreateLinkedTokenSource(_ended.Token);
            await Task.WhenAny(turn, PauseAsync(step, over.Token));
            await over.CancelAsync();
            _ended.Token.ThrowIfCancellationRequested();
        }
    }

    /// <returns>True: it had answered before it ended.</returns>
    private async Task<bool> WatchAsync(HealthClient health)
    {
        var answered = false;
        var trouble = "has ended its watch";
        using var watch = health.Watch(new HealthCheckRequest { Service = _options.HealthService }, cancellationToken: _ended.Token);
        try
        {
            while (await watch.ResponseStream.MoveNext(_ended.Token))
            {
                answered = true;
                switch (watch.ResponseStream.Current.Status)
                {
                    case ServingStatus.Serving:
                        _balancer.OnHealth(this, NodeHealth.Serving, "leads");
                        break;
                    case ServingStatus.ServiceUnknown:
                        _balancer.OnHealth(this, NodeHealth.Plain, "knows no leader");
                        break;
                    default:
                        _balancer.OnHealth(this, NodeHealth.NotServing, "does not lead");
                        break;
                }
            }
        }
        catch (RpcException error) when (error.StatusCode == StatusCode.Unimplemented)
        {
            _balancer.OnHealth(this, NodeHealth.Plain, "has no health");
            await DisconnectedAsync();
            return true;
        }
        catch (RpcException error)
        {
            trouble = Failure.Describe(error.Status);
        }

        _ended.Token.ThrowIfCancellationRequested();
        _log.WatchEnded(Name, trouble);
        _balancer.OnHealth(this, NodeHealth.Unknown, trouble);
        return answered;
    }

    private async Task DisconnectedAsync()
    {
        while (true)
        {
            var turn = Volatile.Read(ref _turn).Task;
            if (!Volatile.Read(ref _isConnected))
            {
                return;
            }

            await turn.WaitAsync(_ended.Token);
        }
    }

    private Task PauseAsync(int step, CancellationToken over)
    {
        var longest = _balancer.Now.CanPick ? _longestPause : _longestPauseWithoutLeader;
        return Task.Delay(Backoff.Delay(_firstPause, longest, step, _options.Jitter()), _options.Clock, over);
    }
}
