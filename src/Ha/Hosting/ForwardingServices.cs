using Ha.Forwarding;
using Ha.Leadership;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Ha.Hosting;

/// <summary>What all places of the write forwarding in one process share. Made on an active node only.</summary>
internal sealed class ForwardingServices(HaNode node, HaMetrics metrics) : IDisposable
{
    private readonly LeaderForwarder _forwarder = new(
        HaHeaders.EncodeId(node.Options.NodeId), node.Options.PublicInfo, node.Options.EffectiveLeaseTimeout);

    private readonly LeaderTerms _terms = new(node.Provider, node.Clock, node.Options.EffectiveLeaseTimeout);

    public WriteHold Hold { get; } = new(node.Provider, node.Clock, node.Options.WriteHoldMax);

    public WriteForwardingMiddleware Create(RequestDelegate next) =>
        new(next, node.Options, node.Provider, node.Gate, node.Clock, _forwarder, _terms, Hold, metrics);

    public void Dispose()
    {
        Hold.Dispose();
        _terms.Dispose();
        _forwarder.Dispose();
    }
}
