using Ha.Forwarding.Proxy;
using Ha.Http;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Ha.Forwarding;

/// <summary>One request looking for the leader: what is fixed about it, and what it went through so far.</summary>
/// <param name="context">The request.</param>
/// <param name="facts">What decisions look at.</param>
/// <param name="refusal">What a handler on this node refused with; null: none ran.</param>
/// <param name="clock">All times here are its timestamps.</param>
internal sealed class WriteJourney(HttpContext context, RequestFacts facts, NotLeaderException? refusal, TimeProvider clock) : IDisposable
{
    private const int FirstPauseMilliseconds = 25;
    private const int LongestPauseMilliseconds = 250;

    // A handler that says it is not the leader's may have been called a moment too early. One that goes on saying it
    // would be run for as long as the write may be held.
    private const int MostHandlerRuns = 4;

    // What breaks a second connection may break every one.
    private const int MostBrokenReads = 2;

    private readonly long _started = clock.GetTimestamp();
    private int _pauseMilliseconds = FirstPauseMilliseconds;
    private int _handlerRuns;
    private int _brokenReads;
    private ReplayableBody? _body;
    private LeadershipSnapshot? _lastRefusedBy;
    private WriteHold? _releasedBy;

    public HttpContext Context => context;

    public RequestFacts Facts => facts;

    /// <summary>Made at the first look at it: a request that is redirected has no use for one.</summary>
    public ReplayableBody Body => _body ??= new ReplayableBody(context.Request);

    public NotLeaderException? Refusal => refusal;

    public TimeSpan Elapsed => clock.GetElapsedTime(_started);

    /// <summary>What to count when it is over; null: nothing (it ran here after all, or nobody was left to answer).</summary>
    public WriteOutcome? Outcome { get; set; }

    /// <summary>How the last attempt ended; null: there was none.</summary>
    public ForwardResult? LastResult { get; set; }

    /// <summary>Whose attempt it was; null: any leader is worth a try.</summary>
    public LeadershipSnapshot? RefusedBy { get; set; }

    /// <summary>True once an attempt to write may have been executed; never false again.</summary>
    public bool MayHaveBeenExecuted { get; private set; } = facts.MayHaveBeenExecuted;

    /// <summary>True: its method says that it changes nothing, so that it may be sent again (RFC 9110 section 9.2.2).</summary>
    public bool IsRead => !WriteMethods.Contains(facts.Method);

    /// <summary>An attempt broke off. It may have been executed, which is nothing to a read.</summary>
    /// <returns>True: it may be sent again, as a read, or because executing it twice is the endpoint's promise to prevent.</returns>
    public bool BrokeOff()
    {
        MayHaveBeenExecuted |= !IsRead;
        return Body.CanReplay && (IsRead
            ? ++_brokenReads < MostBrokenReads
            : IdempotencyKey.Of(context.Request.Headers[IdempotencyKey.Header]) is not null
                && context.GetEndpoint()?.Metadata.GetMetadata<HonorsIdempotencyKeyAttribute>() is not null);
    }

    /// <summary>Waits until somebody may take it.</summary>
    /// <param name="hold">Where.</param>
    /// <param name="leadership">The last look at who leads.</param>
    /// <param name="patience">For how long, counted from the start of the journey.</param>
    public async ValueTask<HoldOutcome> HoldAsync(WriteHold hold, LeadershipSnapshot leadership, TimeSpan patience)
    {
        StepDone();
        var until = _started + (long)(patience.TotalSeconds * clock.TimestampFrequency);
        var retryAt = NextRetry(leadership, clock.GetTimestamp(), clock.TimestampFrequency);
        var outcome = await hold.WaitAsync(RefusedBy, until, retryAt, context.RequestAborted);
        if (outcome == HoldOutcome.MoveOn)
        {
            RefusedBy = null;
            _releasedBy = hold;
        }

        return outcome;
    }

    /// <summary>
    /// When to look again though nothing was announced: after a refusal, because the same leader may take it back
    /// (an aborted handover, a restart), and while this node itself leads without admitting writes.
    /// </summary>
    public long NextRetry(LeadershipSnapshot leadership, long now, long frequency)
    {
        if (RefusedBy is null && !leadership.LeadsSelf)
        {
            return long.MaxValue;
        }

        // The patience that the last leader has worn out is not the next one's.
        if (RefusedBy is not null && RefusedBy.Epoch != _lastRefusedBy?.Epoch)
        {
            _pauseMilliseconds = FirstPauseMilliseconds;
            _handlerRuns = 0;
            _lastRefusedBy = RefusedBy;
        }

        if (LastResult == ForwardResult.RefusedByHandler && ++_handlerRuns >= MostHandlerRuns)
        {
            return long.MaxValue;
        }

        var pause = _pauseMilliseconds * frequency / 1000;
        _pauseMilliseconds = Math.Min(2 * _pauseMilliseconds, LongestPauseMilliseconds);
        return now + pause;
    }

    public void Dispose()
    {
        StepDone();
        _body?.Dispose();
    }

    private void StepDone()
    {
        _releasedBy?.Moved();
        _releasedBy = null;
    }
}
