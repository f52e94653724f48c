using System.Globalization;
using Ha.Consistency;
using Ha.Forwarding.Local;
using Ha.Forwarding.Proxy;
using Ha.Http;
using Ha.Leadership;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;

namespace Ha.Forwarding;

/// <summary>
/// Lets writes through on the leader and takes them elsewhere on any other node. This class tells a request from its
/// arrival to its one answer: <see cref="LeaderPipeline"/> runs it here, <see cref="FollowerPath"/> takes a step with one
/// that cannot, and both return to this class with what came of it. Reads pass without an allocation unless they wait for
/// something.
/// </summary>
/// <remarks>
/// <list type="number">
/// <item>What may run on any node passes; a read that says what it must see, when this node's data has it, or goes on as what needs the
/// leader.</item>
/// <item>What was decided before and comes again passes as an error page; anything else may have been executed.</item>
/// <item>Enter the gate, look who leads, decide.</item>
/// <item>This node leads: run it. What a handler refuses goes on as what needs the leader and may not run here.</item>
/// <item>Another node leads: redirect or forward. Nobody may have it: refuse.</item>
/// <item>Nobody can take it now: wait until somebody may, and go on with step 3.</item>
/// <item>Count what it met.</item>
/// </list>
/// </remarks>
internal sealed class WriteForwardingMiddleware
{
    private readonly ForwardingServices _services;
    private readonly HaNode _node;
    private readonly LeaderPipeline _here;
    private readonly FollowerPath _there;
    private readonly bool _routingRan;

    /// <param name="next">The rest of the pipeline.</param>
    /// <param name="services">What it shares with other places of the write forwarding.</param>
    /// <param name="routingRan">False where the request cannot have an endpoint yet.</param>
    public WriteForwardingMiddleware(RequestDelegate next, ForwardingServices services, bool routingRan)
    {
        _services = services;
        _node = services.Node;
        _here = new LeaderPipeline(next, _node, services.Grace, services.Reports);
        _there = new FollowerPath(services);
        _routingRan = routingRan;
    }

    public Task InvokeAsync(HttpContext context)
    {
        // Step 1: what needs no leader.
        var endpoint = EndpointOf(context);
        if (_routingRan)
        {
            SeenMark.Leave(context, endpoint);
        }

        var said = endpoint?.Metadata.GetMetadata<INodeChoiceMetadata>()?.Choice;
        var choice = said ?? ChoiceByPath(context);
        if (!ForwardDecision.NeedsLeader(context.Request.Method, choice))
        {
            return _services.Reads is { } reads && CarriedPositions.MayBeIn(context.Request) && MayWait(context, said, choice)
                ? ReadAsync(context, reads)
                : PassAsync(context);
        }

        // Step 2: what was decided before. An error page runs here; whoever tries the same once more does so as the leader,
        // or not at all, since the first time may have executed it.
        var before = DecidedMark.Of(context);
        if (before?.IsErrorPage(context) == true)
        {
            return PassAsync(context);
        }

        // Step 3: decide.
        var facts = GatherFacts(context, choice) with { MayHaveBeenExecuted = before is not null };
        return Decide(facts, out var leadership) switch
        {
            ForwardOutcome.Pass => PassAsync(context),
            ForwardOutcome.RunHere => RunHereAsync(context, facts, leadership),
            _ => TravelAsync(context, facts, before is null ? null : TriedAgain(refusal: null)),
        };
    }

    /// <summary>To run it here means that the gate is entered.</summary>
    private ForwardOutcome Decide(in RequestFacts facts, out LeadershipSnapshot leadership)
    {
        // Enter first, look second: see WriteGate.
        _node.Gate.Enter();
        leadership = _node.Provider.Current;
        var outcome = ForwardDecision.Decide(facts, leadership, _services.Policy);
        if (outcome != ForwardOutcome.RunHere)
        {
            _node.Gate.Exit();
        }

        return outcome;
    }

    /// <summary>True for what reads the application's data, and is not about this very node or connection.</summary>
    /// <param name="context">The request, which may run on any node.</param>
    /// <param name="said">What its endpoint says.</param>
    /// <param name="choice">The same, or else what its path says.</param>
    private bool MayWait(HttpContext context, NodeChoice? said, NodeChoice choice)
    {
        var method = context.Request.Method;
        return (said is not null || choice != NodeChoice.AnyNode)
            && EndpointOf(context)?.Metadata.GetMetadata<HubMetadata>() is null
            && !(HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method) || HttpMethods.IsConnect(method))
            && !ForwardMessage.IsUpgrade(context)
            && DecidedMark.Of(context)?.IsErrorPage(context) != true;
    }

    // Step 1, for a read that says what it must see.
    private async Task ReadAsync(HttpContext context, ConsistentReads reads)
    {
        var facts = GatherFacts(context, NodeChoice.LeaderOnly);
        var verdict = await reads.JudgeAsync(context, facts.Forwarded);
        facts = facts with { ReadPatience = verdict.Patience };
        switch (verdict.Step)
        {
            case ReadStep.Serve:
                await PassAsync(context);
                return;
            case ReadStep.Leader when _node.Provider.Current is { IsLeader: true } now:
                await FinishAsync(context, facts, _here.ReadAsync(context, now));
                return;
            case ReadStep.Leader:
                await TravelAsync(context, facts, refusal: null);
                return;
            default:
                var problem = verdict.Step == ReadStep.GiveUp ? Refusals.GivenUp : Refusals.FollowedByAnother;
                await problem.WriteAsync(context, mark: _node.Settings.PublicInfo || facts.Forwarded);
                return;
        }
    }

    private Task PassAsync(HttpContext context) => FinishAsync(context, facts: null, _here.PassAsync(context));

    // Step 4: here.
    private Task RunHereAsync(HttpContext context, in RequestFacts facts, LeadershipSnapshot leadership)
    {
        var isLongLived = IsLongLived(context, facts);
        if (_services.Reads is { } reads && facts.ReadPatience is null && !isLongLived && WriteMethods.Contains(facts.Method))
        {
            reads.Mark(context, leadership.Epoch);
        }

        return FinishAsync(context, facts, _here.RunAsync(context, leadership, isLongLived));
    }

    private Task FinishAsync(HttpContext context, in RequestFacts? facts, Task<Exception?> running)
    {
        if (!running.IsCompletedSuccessfully)
        {
            return AwaitedAsync(context, facts, running);
        }

        return running.Result is { } refusal ? RefusedAsync(context, facts, refusal) : Task.CompletedTask;
    }

    private async Task AwaitedAsync(HttpContext context, RequestFacts? facts, Task<Exception?> running)
    {
        if (await running is { } refusal)
        {
            await RefusedAsync(context, facts, refusal);
        }
    }

    // Whatever it was before, a request that a handler refused needs the leader. But an error page that refuses knows
    // nothing of what came before it.
    private Task RefusedAsync(HttpContext context, in RequestFacts? facts, Exception refusal)
    {
        ConsistentReads.Unmark(context);
        return TravelAsync(
            context,
            (facts ?? GatherFacts(context, NodeChoice.LeaderOnly)) with { RefusedHere = true },
            refusal is NotLeaderException && DecidedMark.CameAgain(context) ? TriedAgain(refusal) : refusal);
    }

    private OutcomeUnknownException TriedAgain(Exception? refusal)
    {
        _services.Reports.TriedAgain();
        return new OutcomeUnknownException(message: null, refusal);
    }

    /// <summary>A request that cannot run here, until it has its answer.</summary>
    /// <param name="context">The request.</param>
    /// <param name="facts">What was gathered from it.</param>
    /// <param name="refusal">Why it must not run here, where that is known before any look at who leads; else null.</param>
    private async Task TravelAsync(HttpContext context, RequestFacts facts, Exception? refusal)
    {
        if (refusal is not null)
        {
            // What the handler had prepared belongs to no answer.
            context.Response.Clear();
        }

        using var journey = new WriteJourney(context, facts, refusal as NotLeaderException, _node.Clock);
        try
        {
            var over = refusal is OutcomeUnknownException && await _there.RefuseAsync(journey, Refusals.OutcomeUnknown);
            while (!over)
            {
                // Step 3 again; where one look leads away from is what the wait waits to see change.
                var outcome = Decide(facts, out var leadership);
                over = outcome == ForwardOutcome.RunHere
                    ? await RunHeldAsync(journey, leadership)
                    : await _there.StepAsync(journey, outcome, leadership) || await _there.HoldAsync(journey, leadership);
            }
        }
        finally
        {
            DecidedMark.Leave(context);
        }

        // Step 7: count it.
        if (journey.Outcome is { } met)
        {
            _services.Metrics.Write(met, journey.Elapsed);
        }

        if (journey.LastResult == ForwardResult.BrokenOff)
        {
            throw new AnswerBrokenOffException();
        }
    }

    // Step 4: this node became the leader while the request waited.
    private async Task<bool> RunHeldAsync(WriteJourney journey, LeadershipSnapshot leadership)
    {
        try
        {
            journey.Body.ReturnToRequest();
        }
        catch
        {
            _node.Gate.Exit();
            throw;
        }

        // A handler that refuses here says nothing of the attempt elsewhere.
        await RunHereAsync(journey.Context, journey.Facts with { MayHaveBeenExecuted = journey.MayHaveBeenExecuted }, leadership);
        return true;
    }

    private NodeChoice ChoiceByPath(HttpContext context) => _node.Settings.Prefixes.Any ? PathChoice.Of(context) : NodeChoice.ByMethod;

    // Looking where nothing can be costs as much as the rest of the decision.
    private Endpoint? EndpointOf(HttpContext context) => _routingRan ? context.GetEndpoint() : null;

    private RequestFacts GatherFacts(HttpContext context, NodeChoice choice)
    {
        var request = context.Request;
        var wish = _services.Policy.AllowOverride ? request.Headers[HaHeaders.Forward] : default;
        return new RequestFacts
        {
            Method = request.Method,
            Path = request.Path,
            Choice = choice,
            Forwarded = request.Headers.ContainsKey(HaHeaders.ForwardedBy),
            SeenEpoch = SeenEpoch(request),
            Override = wish.Count == 0 ? null : wish.ToString(),
            Grpc = HaProblem.IsGrpc(request),
            Upgrade = ForwardMessage.IsUpgrade(context),
            NeverProxy = EndpointOf(context)?.Metadata.GetMetadata<NeverProxyAttribute>() is not null,
            ExtendedConnect = HttpMethods.IsConnect(request.Method)
                && context.Features.Get<IHttpExtendedConnectFeature>()?.IsExtendedConnect == true,
        };
    }

    // Anybody may say anything here, and by it has this one request refused and nothing else.
    private static long SeenEpoch(HttpRequest request) =>
        request.Headers[HaHeaders.SeenEpoch] is { Count: 1 } seen
            && long.TryParse(seen.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)
            ? epoch
            : 0;

    // These outlive any write, so no handover waits for them: they end with the leadership. A hub runs its methods
    // outside of the requests that carry them, so neither does its long polling count.
    private bool IsLongLived(HttpContext context, in RequestFacts facts) =>
        facts.Upgrade || facts.ExtendedConnect || EndpointOf(context)?.Metadata.GetMetadata<HubMetadata>() is not null;
}
