using System.Net;
using Grpc.Core;
using Grpc.Net.Client.Balancer;
using Ha.Grpc.Client.Balancing;

namespace Ha.Grpc.Client.Resolving;

/// <summary>Makes the resolvers of the scheme <c>ha</c>.</summary>
internal sealed class NodeResolverFactory(HaLeaderOptions options, NodeHandler handler, CancellationToken end) : ResolverFactory
{
    public override string Name => NodeList.Scheme;

    public override Resolver Create(ResolverOptions channel)
    {
        if (!Handlers(channel.ChannelOptions.HttpHandler).Contains(handler))
        {
            throw new InvalidOperationException("The channel's HttpHandler was set after UseHaLeader(): call UseHaLeader() last.");
        }

        // The only place where the channel says whether it is secure.
        var secure = channel.DefaultPort == 443;
        return new NodeResolver(NodeList.Parse(channel.Address, channel.DefaultPort), secure, options, channel, end);
    }

    private static IEnumerable<HttpMessageHandler> Handlers(HttpMessageHandler? first)
    {
        for (var handler = first; handler is not null; handler = (handler as DelegatingHandler)?.InnerHandler)
        {
            yield return handler;
        }
    }
}

/// <summary>
/// Turns the list of a channel's address into IP addresses. A name that stands for several is as many nodes. Names are looked up from
/// time to time, and when the balancer has lost a connection; one that cannot be keeps what it stood for last, and one that takes long is
/// added when it is there.
/// </summary>
internal sealed class NodeResolver : PollingResolver
{
    // A look-up that takes longer holds nobody up, and one that takes longer still is begun anew.
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan _lateness = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan _longestLookup = TimeSpan.FromSeconds(30);

    private readonly ListedNode[] _list;
    private readonly bool _secure;
    private readonly HaLeaderOptions _options;
    private readonly CancellationTokenRegistration _end;
    private readonly ITimer _timer;
    private readonly Dictionary<ListedNode, IPAddress[]> _known = [];
    private readonly Dictionary<ListedNode, Task<Answer>> _lookups = [];
    private long _last;

    public NodeResolver(ListedNode[] list, bool secure, HaLeaderOptions options, ResolverOptions channel, CancellationToken end)
        : base(channel.LoggerFactory)
    {
        (_list, _secure, _options) = (list, secure, options);
        _timer = options.Clock.CreateTimer(
            static self => ((NodeResolver)self!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _end = end.UnsafeRegister(static self => ((NodeResolver)self!).Dispose(), this);
    }

    protected override async Task ResolveAsync(CancellationToken cancellationToken)
    {
        var names = _list.Where(static node => !node.IsOneNode).ToArray();
        if (names.Length == 0)
        {
            Listener(ResolverResult.ForResult(Addresses()));
            return;
        }

        var isFirst = _last == 0;
        if (_lookups.Values.Any(static lookup => lookup.IsCompleted))
        {
            Take();
            if (Addresses() is { Length: > 0 } late)
            {
                Listener(ResolverResult.ForResult(late));
            }
        }

        if (!isFirst && _options.ShortestResolveInterval - _options.Clock.GetElapsedTime(_last) is { Ticks: > 0 } early)
        {
            await Task.Delay(early, _options.Clock, cancellationToken).ConfigureAwait(false);
        }

        var fault = await LookUpAsync(names, isFirst, cancellationToken).ConfigureAwait(false);
        _last = _options.Clock.GetTimestamp();
        _timer.Change(fault is null ? _options.ResolveInterval : _options.ShortestResolveInterval, Timeout.InfiniteTimeSpan);
        var addresses = Addresses();
        Listener(addresses.Length > 0
            ? ResolverResult.ForResult(addresses)
            : ResolverResult.ForFailure(new Status(StatusCode.Unavailable, fault!.Message, fault)));
        foreach (var lookup in _lookups.Values)
        {
            _ = lookup.ContinueWith(
                _ => _timer.Change(_lateness, _options.ShortestResolveInterval),
                CancellationToken.None,
                TaskContinuationOptions.None,
                TaskScheduler.Default);
        }
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _timer.Dispose();
        _end.Unregister();
    }

    /// <summary>Until all have answered, or for as long as our patience lasts. Those that take longer go on.</summary>
    /// <param name="names">What to look up.</param>
    /// <param name="isFirst">Nodes are made known one by one, so that calls need not wait for the slowest name.</param>
    /// <param name="cancellationToken">Ends with the channel.</param>
    /// <returns>Why one of them is not known; null: all are.</returns>
    private async Task<Exception?> LookUpAsync(ListedNode[] names, bool isFirst, CancellationToken cancellationToken)
    {
        foreach (var name in names.Where(name => !_lookups.ContainsKey(name)))
        {
            _lookups[name] = LookUpAsync(name, cancellationToken);
        }

        Exception? fault = null;
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var over = Task.Delay(_patience, _options.Clock, done.Token);
        while (true)
        {
            fault = Take() ?? fault;
            if (_lookups.Count == 0)
            {
                await done.CancelAsync().ConfigureAwait(false);
                return fault;
            }

            if (over.IsCompleted)
            {
                break;
            }

            if (isFirst && Addresses(isPart: true) is { Length: > 0 } some)
            {
                Listener(ResolverResult.ForResult(some));
            }

            await Task.WhenAny([over, .. _lookups.Values]).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }

        return fault ?? new TimeoutException($"The name '{_lookups.Keys.First().Host}' has not been looked up yet.");
    }

    /// <summary>What has come in since the last time.</summary>
    /// <returns>Why one of the names has not.</returns>
    private Exception? Take()
    {
        Exception? fault = null;
        foreach (var (name, lookup) in _lookups.Where(static pair => pair.Value.IsCompletedSuccessfully).ToArray())
        {
            _lookups.Remove(name);
            var answer = lookup.Result;
            fault ??= answer.Fault;
            if (answer.Fault is null)
            {
                _known[name] = answer.Found;
            }
        }

        return fault;
    }

    private async Task<Answer> LookUpAsync(ListedNode name, CancellationToken cancellationToken)
    {
        try
        {
            var found = await _options.Lookup(name.Host, cancellationToken)
                .WaitAsync(_longestLookup, _options.Clock, cancellationToken).ConfigureAwait(false);
            return found.Length > 0
                ? new Answer(found, null)
                : new Answer([], new InvalidOperationException($"The name '{name.Host}' stands for no address."));
        }
        catch (Exception error)
        {
            return new Answer([], new InvalidOperationException($"The name '{name.Host}' cannot be resolved: {error.Message}", error));
        }
    }

    private BalancerAddress[] Addresses(bool isPart = false) =>
    [
        .. (from node in _list
            from host in node.IsOneNode ? [node.Host] : _known.GetValueOrDefault(node, []).Distinct().Select(static ip => ip.ToString())
            select NodeAddress.Of(node, host, _secure, isPart)).Take(NodeList.Most),
    ];

    private void OnTimer()
    {
        try
        {
            Refresh();
        }
        catch (ObjectDisposedException)
        {
            // The channel is gone.
        }
    }

    /// <summary>What became of one look-up: addresses, or why there are none.</summary>
    private sealed record Answer(IPAddress[] Found, Exception? Fault);
}
