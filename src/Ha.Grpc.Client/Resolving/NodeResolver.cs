using System.Net;
using System.Net.Sockets;
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
/// time to time, and when the balancer has lost a connection; one that cannot be keeps what it stood for last.
/// </summary>
internal sealed class NodeResolver : PollingResolver
{
    private readonly ListedNode[] _list;
    private readonly bool _secure;
    private readonly HaLeaderOptions _options;
    private readonly CancellationTokenRegistration _end;
    private readonly ITimer _timer;
    private readonly Dictionary<ListedNode, IPAddress[]> _known = [];
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

        if (_last != 0 && _options.ShortestResolveInterval - _options.Clock.GetElapsedTime(_last) is { Ticks: > 0 } early)
        {
            await Task.Delay(early, _options.Clock, cancellationToken);
        }

        var answers = await Task.WhenAll(names.Select(name => LookupAsync(name, cancellationToken)));
        _last = _options.Clock.GetTimestamp();
        foreach (var (name, found, _) in answers.Where(static answer => answer.Fault is null))
        {
            _known[name] = found;
        }

        var fault = answers.Select(static answer => answer.Fault).FirstOrDefault(static fault => fault is not null);
        _timer.Change(fault is null ? _options.ResolveInterval : _options.ShortestResolveInterval, Timeout.InfiniteTimeSpan);
        var addresses = Addresses();
        Listener(addresses.Length > 0
            ? ResolverResult.ForResult(addresses)
            : ResolverResult.ForFailure(new Status(StatusCode.Unavailable, fault!.Message, fault)));
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _timer.Dispose();
        _end.Unregister();
    }

    private async Task<(ListedNode Name, IPAddress[] Found, Exception? Fault)> LookupAsync(
        ListedNode name, CancellationToken cancellationToken)
    {
        try
        {
            var found = await _options.Lookup(name.Host, cancellationToken);
            return (name, found, found.Length > 0 ? null : new InvalidOperationException($"The name '{name.Host}' stands for no address."));
        }
        catch (SocketException error)
        {
            return (name, [], new InvalidOperationException($"The name '{name.Host}' cannot be resolved: {error.Message}", error));
        }
    }

    private BalancerAddress[] Addresses() =>
    [
        .. (from node in _list
            from host in node.IsOneNode ? [node.Host] : _known.GetValueOrDefault(node, []).Distinct().Select(static ip => ip.ToString())
            select NodeAddress.Of(node, host, _secure)).Take(NodeList.Most),
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
}
