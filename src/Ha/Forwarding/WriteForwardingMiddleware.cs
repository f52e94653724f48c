using Ha.Configuration;
using Ha.Forwarding.Local;
using Ha.Forwarding.Proxy;
using Ha.Http;
using Ha.Leadership;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;

namespace Ha.Forwarding;

/// <summary>
/// Lets writes through on the leader and takes them elsewhere on any other node. This class decides who handles a
/// request: <see cref="LeaderPipeline"/> runs it here, <see cref="FollowerPath"/> brings it to the leader. Reads pass
/// without an allocation unless they wait for something.
/// </summary>
internal sealed class WriteForwardingMiddleware
{
    private readonly ILeaderProvider _provider;
    private readonly WriteGate _gate;
    private readonly ForwardPolicy _policy;
    private readonly LeaderPipeline _here;
    private readonly FollowerPath _away;
    private readonly ForwardingReports _reports;
    private readonly bool _routingRan;

    public WriteForwardingMiddleware(
        RequestDelegate next,
        HaSettings settings,
        ILeaderProvider provider,
        WriteGate gate,
        TimeProvider clock,
        LeaderForwarder forwarder,
        AnswerGrace terms,
        WriteHold hold,
        HaMetrics metrics,
        ForwardingReports reports,
        bool routingRan = true)
    {
        _routingRan = routingRan;
        _reports = reports;
        _provider = provider;
        _gate = gate;
        _policy = new ForwardPolicy(settings.ForwardMode, settings.ForwardOverride);
        _here = new LeaderPipeline(next, provider, gate, WritePermit.CommitGuard(settings.LeaseTimeout), terms, reports);
        _away = new FollowerPath(settings, provider, _policy, clock, forwarder, terms, hold, metrics, reports, this);
    }

    public Task InvokeAsync(HttpContext context)
    {
        var endpoint = EndpointOf(context);
        if (_routingRan)
        {
            SeenMark.Leave(context, endpoint);
        }

        var choice = endpoint?.Metadata.GetMetadata<INodeChoiceMetadata>()?.Choice ?? NodeChoice.ByMethod;
        if (!ForwardDecision.NeedsLeader(context.Request.Method, choice))
        {
            return PassAsync(context);
        }

        if (DecidedMark.Of(context) is { } mark)
        {
            return AgainAsync(context, choice, mark);
        }

        var facts = GatherFacts(context, choice);
        if (TryRunHere(context, facts, out var running, out var outcome))
        {
            return running;
        }

        return outcome == ForwardOutcome.Pass ? PassAsync(context) : _away.RunAsync(context, facts, refusal: null);
    }

    /// <summary>Starts the request if this node may run it at this moment.</summary>
    /// <param name="context">The request.</param>
    /// <param name="facts">What was gathered from it.</param>
    /// <param name="running">The request, to its very end.</param>
    /// <param name="outcome">What was decided.</param>
    public bool TryRunHere(HttpContext context, in RequestFacts facts, out Task running, out ForwardOutcome outcome)
    {
        // Enter first, look second: see WriteGate.
        _gate.Enter();
        var leadership = _provider.Current;
        outcome = ForwardDecision.Decide(facts, leadership, _policy);
        if (outcome != ForwardOutcome.RunHere)
        {
            _gate.Exit();
            running = Task.CompletedTask;
            return false;
        }

        running = FinishAsync(_here.RunAsync(context, leadership, IsLongLived(context, facts)), context, facts);
        return true;
    }

    /// <summary>
    /// A request that was decided before comes through again. The error page runs here; whoever tries the same once more
    /// does so as the leader, or not at all, since the first time may have executed it.
    /// </summary>
    private Task AgainAsync(HttpContext context, NodeChoice choice, DecidedMark mark)
    {
        if (mark.IsErrorPage(context))
        {
            return PassAsync(context);
        }

        var facts = GatherFacts(context, choice) with { MayHaveBeenExecuted = true };
        if (TryRunHere(context, facts, out var running, out var outcome))
        {
            return running;
        }

        return outcome == ForwardOutcome.Pass ? PassAsync(context) : _away.RunAsync(context, facts, TriedAgain(refusal: null));
    }

    private Task PassAsync(HttpContext context) => FinishAsync(_here.PassAsync(context), context, facts: null);

    private Task FinishAsync(Task<Exception?> running, HttpContext context, in RequestFacts? facts)
    {
        if (!running.IsCompletedSuccessfully)
        {
            return AwaitedAsync(running, context, facts);
        }

        return running.Result is { } refusal ? AnswerAsync(context, facts, refusal) : Task.CompletedTask;
    }

    private async Task AwaitedAsync(Task<Exception?> running, HttpContext context, RequestFacts? facts)
    {
        if (await running is { } refusal)
        {
            await AnswerAsync(context, facts, refusal);
        }
    }

    // Whatever it was before, a request that a handler refused needs the leader. But an error page that refuses knows
    // nothing of what came before it.
    private Task AnswerAsync(HttpContext context, in RequestFacts? facts, Exception refusal) =>
        _away.RunAsync(
            context,
            facts ?? GatherFacts(context, NodeChoice.LeaderOnly),
            refusal is NotLeaderException && DecidedMark.CameAgain(context) ? TriedAgain(refusal) : refusal);

    private OutcomeUnknownException TriedAgain(Exception? refusal)
    {
        _reports.TriedAgain();
        return new OutcomeUnknownException(message: null, refusal);
    }

    // Looking where nothing can be costs as much as the rest of the decision.
    private Endpoint? EndpointOf(HttpContext context) => _routingRan ? context.GetEndpoint() : null;

    private RequestFacts GatherFacts(HttpContext context, NodeChoice choice)
    {
        var request = context.Request;
        var wish = _policy.AllowOverride ? request.Headers[HaHeaders.Forward] : default;
        return new RequestFacts
        {
            Method = request.Method,
            Path = request.Path,
            Choice = choice,
            Forwarded = request.Headers.ContainsKey(HaHeaders.ForwardedBy),
            Override = wish.Count == 0 ? null : wish.ToString(),
            Grpc = HaProblem.IsGrpc(request),
            Upgrade = LeaderForwarder.IsUpgrade(context),
            NeverProxy = EndpointOf(context)?.Metadata.GetMetadata<NeverProxyAttribute>() is not null,
            ExtendedConnect = HttpMethods.IsConnect(request.Method)
                && context.Features.Get<IHttpExtendedConnectFeature>()?.IsExtendedConnect == true,
        };
    }

    // These outlive any write, so no handover waits for them: they end with the leadership. A hub runs its methods
    // outside of the requests that carry them, so neither does its long polling count.
    private bool IsLongLived(HttpContext context, in RequestFacts facts) =>
        facts.Upgrade || facts.ExtendedConnect || EndpointOf(context)?.Metadata.GetMetadata<HubMetadata>() is not null;
}
