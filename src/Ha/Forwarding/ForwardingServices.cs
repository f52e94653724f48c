using Ha.Consistency;
using Ha.Forwarding.Local;
using Ha.Forwarding.Proxy;
using Ha.Http;
using Ha.Leadership;
using Ha.Security;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ha.Forwarding;

/// <summary>What all places of the write forwarding in one process share. Made on an active node only. Thread-safe.</summary>
internal sealed class ForwardingServices : IDisposable
{
    /// <param name="node">This process in its cluster.</param>
    /// <param name="metrics">Told of every write that met something else than a handler.</param>
    /// <param name="loggers">For the reports.</param>
    /// <param name="tls">How to check an <c>https</c> leader and show this node to it.</param>
    /// <param name="server">Says how header values are written and read.</param>
    /// <param name="addresses">Where the members are.</param>
    /// <param name="reads">What reads wait by, disposed of with this object; null: they wait for nothing.</param>
    public ForwardingServices(
        HaNode node,
        HaMetrics metrics,
        ILoggerFactory loggers,
        NodeTls tls,
        IOptions<KestrelServerOptions> server,
        MemberAddresses addresses,
        ConsistentReads? reads = null)
    {
        var settings = node.Settings;
        Node = node;
        Addresses = addresses;
        Metrics = metrics;
        Reads = reads;
        Reports = new ForwardingReports(loggers, node.Clock);
        Policy = new ForwardPolicy(settings.ForwardMode, settings.ForwardOverride);
        Forwarder = new LeaderForwarder(settings, tls, new HeaderEncodings(server.Value), Reports, node.Clock, addresses);
        Grace = new AnswerGrace(node.Provider, node.Clock, settings.LeaseTimeout);
        Hold = new WriteHold(node.Provider, node.Clock, settings.WriteHoldMax);
    }

    public HaNode Node { get; }

    public MemberAddresses Addresses { get; }

    public HaMetrics Metrics { get; }

    public ForwardingReports Reports { get; }

    public ForwardPolicy Policy { get; }

    public LeaderForwarder Forwarder { get; }

    public AnswerGrace Grace { get; }

    public WriteHold Hold { get; }

    /// <summary>Null: reads wait for nothing.</summary>
    public ConsistentReads? Reads { get; }

    /// <param name="next">The rest of the pipeline.</param>
    /// <param name="routingRan">False where the request cannot have an endpoint yet.</param>
    public WriteForwardingMiddleware Create(RequestDelegate next, bool routingRan) => new(next, this, routingRan);

    /// <summary>What stands before everything of the application.</summary>
    public HopArrival CreateArrival(RequestDelegate next)
    {
        var prefixes = Node.Settings.Prefixes;
        return new HopArrival(prefixes.Any ? Marking : next, Forwarder.OwnMark, Metrics, Reports);

        Task Marking(HttpContext context)
        {
            PathChoice.Leave(context, prefixes);
            return next(context);
        }
    }

    /// <summary>What stands first where the application places the write forwarding itself.</summary>
    public UnseenAnswer CreateOutermost(RequestDelegate next) => new(next, Node.Settings, Reports);

    public void Dispose()
    {
        Reads?.Dispose();
        Hold.Dispose();
        Grace.Dispose();
        Forwarder.Dispose();
    }
}
