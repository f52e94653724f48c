using System.Diagnostics;
using Ha.Forwarding.Proxy;
using Ha.Http;
using Ha.Leadership;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Ha.Forwarding;

/// <summary>
/// The steps of a request that needs the leader on a node that is not: redirected, forwarded, held, or refused. Each
/// returns true when the request has its answer.
/// </summary>
internal sealed class FollowerPath
{
    // A static leader that is down comes back, if at all, after a restart: holding for the time of a failover would
    // only make every client wait for the same answer.
    private static readonly TimeSpan _staticLeaderPatience = TimeSpan.FromMilliseconds(500);

    // Whoever has used up its patience for this node's replica gets to a leader that is there all the same.
    private static readonly TimeSpan _leastConnectPatience = TimeSpan.FromMilliseconds(250);

    private readonly ForwardingServices _services;
    private readonly HaNode _node;
    private readonly TimeSpan _patience;

    public FollowerPath(ForwardingServices services)
    {
        _services = services;
        _node = services.Node;
        var settings = _node.Settings;
        _patience = settings.StaticLeader is null || settings.WriteHold < _staticLeaderPatience
            ? settings.WriteHold
            : _staticLeaderPatience;
    }

    /// <returns>True: it is over. False: wait for somebody to take it.</returns>
    public Task<bool> StepAsync(WriteJourney journey, ForwardOutcome outcome, LeadershipSnapshot leadership)
    {
        switch (outcome)
        {
            case ForwardOutcome.RefuseSecondRun or ForwardOutcome.Hold when RedirectOf(journey) is { } url:
                return RedirectAsync(journey, url, journey.Refusal!.Epoch ?? leadership.Epoch);
            case ForwardOutcome.Redirect:
                return RedirectAsync(journey, leadership.LeaderUrl!, leadership.Epoch);
            case ForwardOutcome.Proxy when !journey.Body.WasRead:
                return ForwardAsync(journey, leadership);
            case ForwardOutcome.Hold:
                return Task.FromResult(false);
            default:
                return RefuseAsync(journey, RefusalFor(outcome, journey, leadership));
        }
    }

    /// <returns>True: it is over. False: look again.</returns>
    public async Task<bool> HoldAsync(WriteJourney journey, LeadershipSnapshot leadership)
    {
        var from = _node.Clock.GetTimestamp();
        var patience = journey.Facts.ReadPatience is { } left && left < _patience ? left : _patience;
        var outcome = await journey.HoldAsync(_services.Hold, leadership, patience);
        if (outcome != HoldOutcome.Full && patience > TimeSpan.Zero)
        {
            _services.Metrics.Write(WriteOutcome.Held, _node.Clock.GetElapsedTime(from));
        }

        switch (outcome)
        {
            case HoldOutcome.MoveOn:
                return false;
            case HoldOutcome.Cancelled:
                return await RefuseAsync(journey, Refusals.GivenUp);
            case HoldOutcome.TimedOut when journey.RefusedBy is { } last && _node.Provider.Current.IsAnotherLeader(last):
                // It took longer to learn that the last one is gone than it may wait for the next one, who is here by now.
                return false;
            case HoldOutcome.TimedOut:
                return await RefuseAsync(journey, LastWord(journey));
            case HoldOutcome.Full:
                _services.Reports.HoldFull();
                return await RefuseAsync(journey, Refusals.HoldFull);
            case HoldOutcome.Stopping:
                return await RefuseAsync(journey, Refusals.Stopping);
            default:
                throw new UnreachableException($"{outcome}");
        }
    }

    /// <returns>True, always.</returns>
    public async Task<bool> RefuseAsync(WriteJourney journey, HaProblem problem)
    {
        // One attempt that may have been executed outweighs any number that were not.
        problem = journey.MayHaveBeenExecuted ? Refusals.OutcomeUnknown : problem;
        var publicInfo = _node.Settings.PublicInfo;
        if (publicInfo && problem.LeaderKnown == false && _node.Provider.Current.WhyNobodyLeads is { } why)
        {
            problem = problem with { Detail = $"{problem.Detail} Nobody leads: {why}." };
        }

        // Its client has no redirect to learn it from.
        if (journey.Facts.Grpc && publicInfo && problem is { NotExecuted: true, Leader: null }
            && _node.Provider.Current is var now && now.LeadsElsewhere())
        {
            problem = problem with { Leader = now.LeaderUrl, Epoch = now.Epoch };
        }

        // Between nodes the mark is part of the protocol; to clients it is information.
        var between = journey.Facts.Forwarded;
        await problem.WriteAsync(journey.Context, mark: publicInfo || between, byHandler: between && journey.Refusal is not null);
        journey.Outcome = problem.Status == StatusCodes.Status502BadGateway ? WriteOutcome.Unknown : WriteOutcome.Refused;
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
        var givenUp = _services.Grace.GivenUp(leadership);
        var result = await _services.Forwarder.ForwardAsync(
            journey.Context, leadership.LeaderTarget!, journey.Body, journey.Elapsed, ConnectPatience(journey), givenUp);
        journey.LastResult = result;
        journey.RefusedBy = leadership;
        var mayRepeat = result == ForwardResult.OutcomeUnknown && journey.BrokeOff();
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
            case ForwardResult.OutcomeUnknown when mayRepeat && journey.IsRead && !givenUp.IsCancellationRequested
                && !_node.Provider.Current.IsAnotherLeader(leadership):
                // Another connection tells a leader that is gone from one that has closed a reused connection.
                return await ForwardAsync(journey, leadership);
            case ForwardResult.OutcomeUnknown:
                return !mayRepeat && await RefuseAsync(journey, journey.IsRead ? Refusals.ReadBrokeOff : Refusals.OutcomeUnknown);
            case ForwardResult.Unreachable or ForwardResult.NotExecuted or ForwardResult.RefusedByHandler:
                return !journey.Body.CanReplay && await RefuseAsync(journey, Refusals.BodyConsumed);
            default:
                throw new UnreachableException($"{result}");
        }
    }

    // The handler knew better than the election, and redirecting needs nothing of the request that it has used up.
    private string? RedirectOf(WriteJourney journey) =>
        journey is { Refusal.LeaderUrl: { } url, Facts.Forwarded: false } && !ForwardDecision.ProxyWanted(journey.Facts, _services.Policy)
            ? url
            : null;

    /// <returns>Null: as long as a connection to the leader may take anybody.</returns>
    private static TimeSpan? ConnectPatience(WriteJourney journey) =>
        journey.Facts.ReadPatience is not { } patience ? null
            : patience - journey.Elapsed is var left && left > _leastConnectPatience ? left
            : _leastConnectPatience;

    private HaProblem LastWord(WriteJourney journey) =>
        journey.LastResult == ForwardResult.Unreachable && _node.Provider.Current.LeadsElsewhere()
            ? Refusals.Unreachable
            : Refusals.NoLeaderInTime;

    private HaProblem RefusalFor(ForwardOutcome outcome, WriteJourney journey, LeadershipSnapshot leadership)
    {
        switch (outcome)
        {
            case ForwardOutcome.RefuseExtendedConnect:
                return Refusals.StreamNotForwarded;
            case ForwardOutcome.RefuseStale:
                return Refusals.StaleLeader;
            case ForwardOutcome.RefuseProxy:
                return Refusals.NotProxied;
            case ForwardOutcome.Proxy when journey.Refusal is null:
                _services.Reports.BodyReadBefore(journey.Context.Request.Path);
                return Refusals.BodyReadBefore;
            case ForwardOutcome.Proxy:
                return Refusals.BodyConsumed;
            default:
                var (known, epoch) = leadership.LeadsElsewhere()
                    ? (leadership.LeaderUrl, leadership.Epoch)
                    : (journey.Refusal?.LeaderUrl, journey.Refusal?.Epoch);
                var mayShow = _node.Settings.PublicInfo || (_services.Policy.Mode == ForwardMode.Redirect && !journey.Facts.Grpc);
                var shown = mayShow ? known : null;
                return Refusals.NotLeader(shown, epoch) with { LeaderKnown = known is not null };
        }
    }
}
