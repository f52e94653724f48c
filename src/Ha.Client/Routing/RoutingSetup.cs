using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Ha.Client.Routing;

/// <summary>
/// Puts the routing into the clients that the factory makes. A singleton, since handlers are replaced every few minutes
/// and what is known of a cluster must outlive them. Thread-safe.
/// </summary>
internal sealed class RoutingSetup
{
    private readonly ConcurrentDictionary<MapKey, ClusterMap> _maps = [];
    private readonly IOptionsMonitor<LeaderRoutingOptions> _options;
    private readonly TimeProvider _clock;
    private readonly ClientLog _log;
    private readonly ClientMetrics _metrics;

    public RoutingSetup(IOptionsMonitor<LeaderRoutingOptions> options, IServiceProvider services)
    {
        _options = options;
        _clock = services.GetService<TimeProvider>() ?? TimeProvider.System;
        _log = new ClientLog((services.GetService<ILoggerFactory>() ?? NullLoggerFactory.Instance).CreateLogger("Ha.Client"));
        _metrics = new ClientMetrics(services.GetService<IMeterFactory>());
    }

    public void Apply(string client, HttpClientFactoryOptions factory)
    {
        // First, so that whatever the app configures comes after it; the check last, so that it sees the result.
        factory.HttpMessageHandlerBuilderActions.Insert(0, builder => builder.PrimaryHandler = PrimaryHandler.Create(_options.Get(client)));
        factory.HttpMessageHandlerBuilderActions.Add(builder => AddRouting(client, builder));
        factory.HttpClientActions.Add(http => http.BaseAddress ??= new Uri(_options.Get(client).Nodes[0]));
    }

    private void AddRouting(string client, HttpMessageHandlerBuilder builder)
    {
        var proof = PrimaryHandler.Check(client, builder.PrimaryHandler);
        if (builder.AdditionalHandlers.OfType<LeaderRoutingHandler>().Any())
        {
            return;
        }

        var options = _options.Get(client);
        var addresses = PrimaryHandler.AddressesOf(builder.PrimaryHandler);
        var findsItsOwnWay = options.ResolveNodes is not null || (addresses is not null && PrimaryHandler.HasOwnProxy(builder.PrimaryHandler));
        var key = new MapKey(
            string.Join(' ', RoutingContext.Names(options)), options.TrustReportedLeaders, addresses is not null, findsItsOwnWay ? client : null);
        var map = _maps.GetOrAdd(key, _ => RoutingContext.CreateMap(options, addresses, _clock, _log, _metrics));
        var routing = new RoutingContext(client, options, map, _clock, _log, _metrics, Random.Shared.NextDouble, proof);
        builder.AdditionalHandlers.Insert(0, new HistoryHandler());
        builder.AdditionalHandlers.Add(new LeaderRoutingHandler(routing));
    }

    /// <summary>Clients of the same cluster share what they know, unless they trust differently, or find its nodes in another way.</summary>
    private sealed record MapKey(string Nodes, bool TrustsReportedLeaders, bool LooksUpNames, string? Client);
}

/// <summary>What the calls of one client need.</summary>
/// <param name="Client">The client's name, for logs and metrics.</param>
/// <param name="Options">Its validated options.</param>
/// <param name="Map">What is known of the cluster, shared.</param>
/// <param name="Clock">All time comes from here.</param>
/// <param name="Log">The decisions, for people.</param>
/// <param name="Metrics">The decisions, for dashboards.</param>
/// <param name="Jitter">0 to 1, anew at each call.</param>
/// <param name="Proof">What failures of the primary handler prove.</param>
internal sealed record RoutingContext(
    string Client,
    LeaderRoutingOptions Options,
    ClusterMap Map,
    TimeProvider Clock,
    ClientLog Log,
    ClientMetrics Metrics,
    Func<double> Jitter,
    Proof Proof)
{
    public static RoutingContext Create(
        string client,
        LeaderRoutingOptions options,
        Func<Uri, CancellationToken, Task<IPAddress[]>>? addresses,
        TimeProvider clock,
        ClientLog log,
        ClientMetrics metrics,
        Proof proof) =>
        new(client, options, CreateMap(options, addresses, clock, log, metrics), clock, log, metrics, Random.Shared.NextDouble, proof);

    public static ClusterMap CreateMap(
        LeaderRoutingOptions options,
        Func<Uri, CancellationToken, Task<IPAddress[]>>? addresses,
        TimeProvider clock,
        ClientLog log,
        ClientMetrics metrics)
    {
        var names = Names(options);
        return new ClusterMap(
            names, new NodeFinder(names, options.ResolveNodes, addresses, clock), options.TrustReportedLeaders, clock, log, metrics);
    }

    /// <summary>The nodes of validated options, in one spelling.</summary>
    public static string[] Names(LeaderRoutingOptions options) =>
        [.. options.Nodes.Select(static node => MemberUrl.NameOf(new Uri(node))).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
}
