using Ha.Forwarding;
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

namespace Ha.Hosting;

/// <summary>What all places of the write forwarding in one process share. Made on an active node only.</summary>
internal sealed class ForwardingServices : IDisposable
{
    private readonly HaNode _node;
    private readonly string _ownMark;
    private readonly HaMetrics _metrics;
    private readonly ForwardingReports _reports;
    private readonly LeaderForwarder _forwarder;
    private readonly AnswerGrace _terms;

    public ForwardingServices(HaNode node, HaMetrics metrics, ILoggerFactory loggers, NodeTls tls, IOptions<KestrelServerOptions> server)
    {
        var settings = node.Settings;
        _ownMark = HaHeaders.EncodeId(settings.NodeId);
        _node = node;
        _metrics = metrics;
        _reports = new ForwardingReports(loggers, node.Clock);
        _forwarder = new LeaderForwarder(
            _ownMark, settings.PublicInfo, settings.LeaseTimeout, _reports, tls, new HeaderEncodings(server.Value));
        _terms = new AnswerGrace(node.Provider, node.Clock, settings.LeaseTimeout);
        Hold = new WriteHold(node.Provider, node.Clock, settings.WriteHoldMax);
    }

    public WriteHold Hold { get; }

    /// <summary>What stands before everything of the application.</summary>
    public HopArrival CreateArrival(RequestDelegate next) => new(next, _ownMark, _metrics, _reports);

    /// <param name="next">The rest of the pipeline.</param>
    /// <param name="routingRan">False where the request cannot have an endpoint yet.</param>
    public WriteForwardingMiddleware Create(RequestDelegate next, bool routingRan) =>
        new(next, _node.Settings, _node.Provider, _node.Gate, _node.Clock, _forwarder, _terms, Hold, _metrics, _reports, routingRan);

    /// <summary>What stands first where the application places the write forwarding itself.</summary>
    public UnseenAnswer CreateOutermost(RequestDelegate next) => new(next, _node.Settings, _reports);

    public void Dispose()
    {
        Hold.Dispose();
        _terms.Dispose();
        _forwarder.Dispose();
    }
}
