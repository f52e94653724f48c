using System.Diagnostics;
using Ha.Configuration;
using Ha.Forwarding.Local;
using Ha.Forwarding.Proxy;
using Ha.Http;
using Ha.Leadership;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Ha.Forwarding;

/// <summary>
/// What a request that needs the leader meets on a node that is not: redirected, forwarded, held, tried again where
/// nothing was executed, or refused. Every way through ends with exactly one answer.
/// </summary>
internal sealed class FollowerPath(
    HaSettings settings,
    ILeaderProvider provider,
    ForwardPolicy policy,
    TimeProvider clock,
    LeaderForwarder forwarder,
    AnswerGrace terms,
    WriteHold hold,
    HaMetrics metrics,
    ForwardingReports reports,
    WriteForwardingMiddleware here)
{
    // A static leader that is down comes back, if at all, after a restart: holding for the time of a failover would
    // only make every client wait for the same answer.
    private static readonly TimeSpan _staticLeaderPatience = TimeSpan.FromMilliseconds(500);

    private readonly TimeSpan _patience = settings.StaticLeader is null || settings.WriteHold < _staticLeaderPatience
        ? settings.WriteHold
        : _staticLeaderPatience;

    /// <param name="context">The request.</param>
    /// <param name="facts">What was gathered from it.</param>
    /// <param name="refusal">What a handler on this node refused with, when it ran here before; else null.</param>
    public async Task RunAsync(HttpContext context, RequestFacts facts, Exception? refusal)
    {
        var started = clock.GetTimestamp();
        if (refusal is not null)
        {
            // What the handler had prepared belongs to no answer.
            context.Response.Clear();
        }

        WriteOutcome? outcome;
        bool brokenOff;
        try
        {
            (outcome, brokenOff) = refusal is OutcomeUnknownException
                ? (await AnswerUnknownAsync(context), false)
                : await TravelAsync(context, facts, refusal as NotLeaderException, started);
        }
        finally
        {
            DecidedMark.Leave(context);
        }

        if (outcome is { } met)
        {
            metrics.Write(met, clock.GetElapsedTime(started));
        }

        if (brokenOff)
        {
            throw new AnswerBrokenOffException();
        }
    }

    private static async Task<WriteOutcome?> AnswerUnknownAsync(HttpContext context)
    {
        await Refusals.OutcomeUnknown.WriteAsync(context);
        return WriteOutcome.Unknown;
    }

    private async Task<(WriteOutcome? Outcome, bool BrokenOff)> TravelAsync(HttpContext context, RequestFacts facts, NotLeaderException? refusal, long started)
    {
        using var body = new ReplayableBody(context.Request);
        var journey = new WriteJourney(context, facts, body, refusal)
        {
            MayHaveBeenExecuted = facts.MayHaveBeenExecuted,
        };
        var until = started + (long)(_patience.TotalSeconds * clock.TimestampFrequency);
        var waited = false;
        bool over;
        do
        {
            // One look per step; where it leads away from is what the wait waits to see change.
            var leadership = provider.Current;
            try
            {
                over = await StepAsync(journey, leadership);
            }
            finally
            {
                if (waited)
                {
                    hold.Moved();
                }
            }

            over = over || await WaitAsync(journey, leadership, until);
            waited = true;
        }
        while (!over);

        return (journey.Outcome, journey.LastResult == ForwardResult.BrokenOff);
    }

    /// <returns>True: it is over. False: wait for somebody to take it.</returns>
    private async Task<bool> StepAsync(WriteJourney journey, LeadershipSnapshot leadership)
    {
        var outcome = ForwardDecision.Decide(journey.Facts, leadership, policy);
        switch (outcome)
        {
            case ForwardOutcome.RunHere when journey.Refusal is null:
                return await RunHereAsync(journey);
            case ForwardOutcome.RunHere or ForwardOutcome.Hold when RedirectOf(journey) is { } url:
                return await RedirectAsync(journey, url, journey.Refusal!.Epoch ?? leadership.Epoch);
            case ForwardOutcome.Redirect:
                return await RedirectAsync(journey, leadership.LeaderUrl!, leadership.Epoch);
            case ForwardOutcome.Proxy when !journey.Body.WasRead:
                return await ForwardAsync(journey, leadership);
            case ForwardOutcome.Hold:
                return false;
            default:
                return await RefuseAsync(journey, RefusalFor(outcome, journey, leadership));
        }
    }

    // This node became the leader while the request waited.
    private async Task<bool> RunHereAsync(WriteJourney journey)
    {
        journey.Body.ReturnToRequest();

        // A handler that refuses here says nothing of the attempt elsewhere.
        var facts = journey.Facts with { MayHaveBeenExecuted = journey.MayHaveBeenExecuted };
        if (!here.TryRunHere(journey.Context, facts, out var running, out _))
        {
            return false;
        }

        await running;
        return true;
    }

    private static async Task<bool> RedirectAsync(WriteJourney journey, string url, long epoch)
    {
        await RedirectAnswer.WriteAsync(journey.Context, url, epoch);
        journey.Outcome = WriteOutcome.Redirected;
        return true;
    }

    private async Task<bool> ForwardAsync(WriteJourney journey, LeadershipSnapshot leadership)
    {
        var result = await forwarder.ForwardAsync(journey.Context, leadership.LeaderTarget!, journey.Body, terms.GivenUp(leadership));
        journey.LastResult = result;
        journey.RefusedBy = leadership;
        journey.MayHaveBeenExecuted |= result == ForwardResult.OutcomeUnknown;
        switch (result)
        {
            case ForwardResult.Answered or ForwardResult.BrokenOff:
                journey.Outcome = WriteOutcome.Forwarded;
                return true;
            case ForwardResult.ClientFault:
                // The server knows the right answer to each way of sending a bad body.
                journey.Body.ClientFault!.Throw();
                return true;
            case ForwardResult.NoHttp2:
                return await RefuseAsync(journey, Refusals.NoHttp2);
            case var _ when journey.Context.RequestAborted.IsCancellationRequested:
                return await RefuseAsync(journey, Refusals.GivenUp);
            case ForwardResult.OutcomeUnknown:
                return !journey.MayRepeat && await RefuseAsync(journey, Refusals.OutcomeUnknown);
            case ForwardResult.Unreachable or ForwardResult.NotExecuted or ForwardResult.RefusedByHandler:
                return !journey.Body.CanReplay && await RefuseAsync(journey, Refusals.BodyConsumed);
            default:
                throw new UnreachableException($"{result}");
        }
    }

    /// <returns>True: it is over. False: look again.</returns>
    private async Task<bool> WaitAsync(WriteJourney journey, LeadershipSnapshot leadership, long until)
    {
        var from = clock.GetTimestamp();
        var retryAt = journey.NextRetry(leadership, from, clock.TimestampFrequency);
        var outcome = await hold.WaitAsync(journey.RefusedBy, until, retryAt, journey.Context.RequestAborted);
        if (outcome != HoldOutcome.Full && _patience > TimeSpan.Zero)
        {
            metrics.Write(WriteOutcome.Held, clock.GetElapsedTime(from));
        }

        switch (outcome)
        {
            case HoldOutcome.MoveOn:
                journey.RefusedBy = null;
                return false;
            case HoldOutcome.Cancelled:
                return await RefuseAsync(journey, Refusals.GivenUp);
            case HoldOutcome.TimedOut:
                return await RefuseAsync(journey, LastWord(journey));
            case HoldOutcome.Full:
                reports.HoldFull();
                return await RefuseAsync(journey, Refusals.HoldFull);
            case HoldOutcome.Stopping:
                return await RefuseAsync(journey, Refusals.Stopping);
            default:
                throw new UnreachableException($"{outcome}");
        }
    }

    private async Task<bool> RefuseAsync(WriteJourney journey, HaProblem problem)
    {
        // One attempt that may have been executed outweighs any number that were not.
        problem = journey.MayHaveBeenExecuted ? Refusals.OutcomeUnknown : problem;
        if (settings.PublicInfo && problem.LeaderKnown == false && provider.Current.WhyNobodyLeads is { } why)
        {
            problem = problem with { Detail = $"{problem.Detail} Nobody leads: {why}." };
        }

        // Between nodes the mark is part of the protocol; to clients it is information.
        var between = journey.Facts.Forwarded;
        await problem.WriteAsync(journey.Context, mark: settings.PublicInfo || between, byHandler: between && journey.Refusal is not null);
        journey.Outcome = problem.Status == StatusCodes.Status502BadGateway ? WriteOutcome.Unknown : WriteOutcome.Refused;
        return true;
    }

    // The handler knew better than the election, and redirecting needs nothing of the request that it has used up.
    private string? RedirectOf(WriteJourney journey) =>
        journey is { Refusal.LeaderUrl: { } url, Facts.Forwarded: false }
        && !ForwardDecision.ProxyWanted(journey.Facts, policy)
        && TargetUrl.TryNormalise(url, out var normalised, out _)
            ? normalised
            : null;

    private HaProblem LastWord(WriteJourney journey) =>
        journey.LastResult == ForwardResult.Unreachable && provider.Current.LeadsElsewhere()
            ? Refusals.Unreachable
            : Refusals.NoLeaderInTime;

    private HaProblem RefusalFor(ForwardOutcome outcome, WriteJourney journey, LeadershipSnapshot leadership)
    {
        switch (outcome)
        {
            case ForwardOutcome.RefuseExtendedConnect:
                return Refusals.StreamNotForwarded;
            case ForwardOutcome.RefuseProxy:
                return Refusals.NotProxied;
            case ForwardOutcome.Proxy when journey.Refusal is null:
                reports.BodyReadBefore(journey.Context.Request.Path);
                return Refusals.BodyReadBefore;
            case ForwardOutcome.Proxy:
                return Refusals.BodyConsumed;
            default:
                var (known, epoch) = leadership.LeadsElsewhere()
                    ? (leadership.LeaderUrl, leadership.Epoch)
                    : (journey.Refusal?.LeaderUrl, journey.Refusal?.Epoch);
                var shown = settings.PublicInfo || policy.Mode == ForwardMode.Redirect ? known : null;
                return Refusals.NotLeader(shown, epoch) with { LeaderKnown = known is not null };
        }
    }
}
