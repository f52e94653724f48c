using System.Runtime.ExceptionServices;

namespace Ha.Client.Routing;

/// <summary>
/// One pass of a message from request to answer, over as many attempts as its deadline allows. Repeats what certainly
/// was not executed; what may have been only when it is a read or carries one usable <c>Idempotency-Key</c>. Used once.
/// </summary>
internal sealed class RoutedCall
{
    // Nodes that point at each other agree soon.
    private const int MaxHops = 5;

    /// <summary>With less time left another round would only make an unknown outcome of what was not executed so far.</summary>
    public static readonly TimeSpan ShortestRound = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _longestPause = TimeSpan.FromSeconds(1);

    private readonly RoutingContext _routing;
    private readonly CallRequest _request;
    private readonly AttemptSender _sender;
    private readonly CallReport _report;
    private readonly HashSet<Member> _tried = [];
    private readonly long _start;
    private int _hops;
    private int _pauses;

    public RoutedCall(RoutingContext routing, HttpRequestMessage request, AttemptSender.Transport transport)
    {
        _routing = routing;
        _request = new CallRequest(request, routing.Options, routing.Proof);
        _sender = new AttemptSender(routing, _request, transport);
        _report = new CallReport(_request.Name, routing.Map.Configured);
        _start = routing.Clock.GetTimestamp();
    }

    private TimeSpan Elapsed => _routing.Clock.GetElapsedTime(_start);

    /// <summary>Of this pass or an earlier one.</summary>
    private bool MayHaveRun => _request.IsWrite && _request.History.MayHaveRun;

    private bool IsInDoubt => _request.IsWrite && _request.History.IsInDoubt;

    public async Task<HttpResponseMessage> RunAsync(CancellationToken cancellationToken)
    {
        var result = "failed";
        try
        {
            var response = await PassAsync(cancellationToken).ConfigureAwait(false);
            result = "answered";
            return response;
        }
        catch (Exception error) when (error is LeaderRoutingException or WriteOutcomeUnknownException)
        {
            result = error is WriteOutcomeUnknownException ? "outcome_unknown" : "not_executed";
            _request.History.Failure = error;
            _routing.Log.CallFailed(error.Message);
            throw;
        }
        finally
        {
            _routing.Metrics.Called(_routing.Client, _request.IsWrite, result, Elapsed);
        }
    }

    private async Task<HttpResponseMessage> PassAsync(CancellationToken cancellationToken)
    {
        if (!_request.IsWrite)
        {
            return await RouteAsync(cancellationToken).ConfigureAwait(false);
        }

        // A handler around the routing may have sent this message before, or be sending it now.
        if (_request.History.Enter(_request.Key) is { } why)
        {
            throw _report.Fail(why, outcomeUnknown: true, _request.Key, Elapsed, new Answer(Meaning.OutcomeUnknown, why) { Error = _request.History.Failure });
        }

        try
        {
            return await RouteAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _request.History.Leave();
        }
    }

    private async Task<HttpResponseMessage> RouteAsync(CancellationToken cancellationToken)
    {
        _routing.Map.LookAgain(anyway: false);

        // Step 1: make the body fit to be sent again, or to stay unread.
        if (!_request.Body.IsPrepared)
        {
            await InTimeAsync(_request.Body.PrepareAsync, "its body was not there within the deadline", cancellationToken).ConfigureAwait(false);
        }

        if (!_request.Body.CanSend)
        {
            throw Fail("an earlier pass of the same message read its body, which is not kept (MaxBufferedBodyBytes)");
        }

        // Step 2: who can send its body only once asks for the leader first.
        if (_request is { ToLeader: true, Body.SentOnce: true } && _routing.Map.LeaderNow is null)
        {
            await InTimeAsync(_sender.AskForLeaderAsync, "no node said within the deadline who leads", cancellationToken).ConfigureAwait(false);
        }

        Member? member = null;
        while (true)
        {
            // Step 3: choose a node; when each has had its turn, wait for the next round.
            if (_routing.Map.Configured.Count == 0)
            {
                await InTimeAsync(stop => _routing.Map.FindNodesAsync(_routing.Options.ConnectTimeout, stop), "no node was found", cancellationToken)
                    .ConfigureAwait(false);
            }

            member ??= _routing.Map.Choose(_request.ToLeader, _tried, _routing.Options.ConnectTimeout);
            if (member is null)
            {
                await PauseAsync(_routing.Map.Configured.Count > 0 ? "no node could take it" : "no node was found", asked: null, cancellationToken).ConfigureAwait(false);
                continue;
            }

            // Step 4: one attempt.
            var answer = await AttemptAsync(member, cancellationToken).ConfigureAwait(false);
            if (answer.IsUnknown && _request.IsWrite)
            {
                _request.History.BecomeUnknown();
            }

            if (IsLastWord(answer))
            {
                if (answer.Meaning != Meaning.Refused)
                {
                    _request.History.BecomeAnswered(answer.Response!.StatusCode);
                }

                return answer.Response!;
            }

            // Step 5: the node to go to, null for any, or an end.
            answer.Response?.Dispose();
            member = await FollowUpAsync(member, answer, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>What comes before an attempt, bounded by the deadline.</summary>
    private async Task InTimeAsync(Func<CancellationToken, Task> step, string failure, CancellationToken cancellationToken)
    {
        var left = _routing.Options.Deadline - Elapsed;
        using var timer = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, _routing.Clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
        try
        {
            await step(both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (timer.IsCancellationRequested)
        {
            throw Fail(failure);
        }
    }

    private async Task<Answer> AttemptAsync(Member member, CancellationToken cancellationToken)
    {
        var left = _routing.Options.Deadline - Elapsed;
        if (left <= TimeSpan.Zero)
        {
            throw Fail("the deadline is over");
        }

        var limit = _request.IsRepeatable && _routing.Options.AttemptTimeout < left ? _routing.Options.AttemptTimeout : left;
        Answer answer;
        try
        {
            answer = await _sender.SendAsync(member, limit, cancellationToken).ConfigureAwait(false);
        }
        catch (NoAuthorizationException error) when (!MayHaveRun)
        {
            ExceptionDispatchInfo.Throw(error.InnerException!);
            throw;
        }
        catch (NoAuthorizationException error)
        {
            throw Fail("there was no authorization for another attempt", new Answer(Meaning.Unreachable, "") { Error = error.InnerException });
        }

        _report.Add(member, answer.Word);
        _routing.Metrics.Attempted(_routing.Client, member.Url, _request.IsWrite, answer.Meaning);
        _routing.Log.Attempted(_request.Name, member.Url, answer.Word);
        return answer;
    }

    /// <summary>True when the caller gets this response: the application's word, or one that nothing better can follow.</summary>
    private bool IsLastWord(Answer answer) => answer.Meaning switch
    {
        // Behind an outcome that nobody knows, 409 with Retry-After means that the first copy still runs.
        Meaning.Final => !(IsInDoubt && answer is { Response.StatusCode: System.Net.HttpStatusCode.Conflict, RetryAfter: not null }),
        Meaning.Redirected => !answer.NamedByNode && !_routing.Map.IsTrusted(answer.Target),

        // Its "not executed" is of its own copy only.
        Meaning.Refused => !_request.Body.CanSend && !MayHaveRun && answer.Response is not null,

        // A gRPC client reads its status; anybody else might take a 502 for one that may be tried again.
        Meaning.OutcomeUnknown => (!_request.MayRepeatUnknown || !_request.Body.CanSend) &&
            (!_request.IsWrite || answer.Response!.StatusCode == System.Net.HttpStatusCode.OK),
        _ => false,
    };

    private async Task<Member?> FollowUpAsync(Member from, Answer answer, CancellationToken cancellationToken)
    {
        if (answer.IsUnknown && !_request.MayRepeatUnknown)
        {
            throw Fail("it may have been executed and has no usable Idempotency-Key", answer);
        }

        if (!_request.Body.CanSend)
        {
            throw Fail("its body was read and is not kept (MaxBufferedBodyBytes)", answer);
        }

        switch (answer.Meaning)
        {
            case Meaning.Redirected:
                return await FollowAsync(from, answer, cancellationToken).ConfigureAwait(false);
            case Meaning.Refused:
                _routing.Map.Forget(from);
                await PauseAsync(answer.Word, answer.RetryAfter, cancellationToken).ConfigureAwait(false);
                return null;
            case Meaning.Final:
                await PauseAsync("409, the first copy still runs", answer.RetryAfter, cancellationToken).ConfigureAwait(false);
                return null;
            default:
                if (IsInDoubt)
                {
                    _routing.Log.RepeatedWithKey(_request.Name, answer.Word);
                }

                _tried.Add(from);
                return null;
        }
    }

    private async Task<Member?> FollowAsync(Member from, Answer answer, CancellationToken cancellationToken)
    {
        if (MemberUrl.IsDowngrade(from.Url, answer.Target))
        {
            throw Fail($"{from.Url} redirects to {answer.Target}, which would lose the encryption", answer);
        }

        // Whoever redirects does not lead, whatever epoch it was known by.
        _routing.Map.Forget(from);
        var target = _routing.Map.Learn(answer.Target, answer.Epoch, from);
        if (target is null)
        {
            // Only a configured node may name a new one: ask those.
            _tried.Add(from);
            return null;
        }

        if (++_hops <= MaxHops && _routing.Map.TryClaim(target, _routing.Options.ConnectTimeout))
        {
            return target;
        }

        // The others have not noticed yet that the leader is gone, or do not agree on one.
        await PauseAsync(answer.Word, asked: null, cancellationToken).ConfigureAwait(false);
        return null;
    }

    private async Task PauseAsync(string reason, TimeSpan? asked, CancellationToken cancellationToken)
    {
        var delay = Backoff.Delay(_firstPause, _longestPause, _pauses++, _routing.Jitter());
        if (asked is { } atLeast && Backoff.AtLeast(atLeast, _routing.Jitter()) is var longer && longer > delay)
        {
            delay = longer;
        }

        if (Elapsed + delay + ShortestRound >= _routing.Options.Deadline)
        {
            throw Fail($"the deadline of {_routing.Options.Deadline.TotalSeconds:0.###} s leaves no time for another round ({reason})");
        }

        _routing.Metrics.Paused(_routing.Client, delay);
        _routing.Log.Paused(_request.Name, delay, reason);
        await Task.Delay(delay, _routing.Clock, cancellationToken).ConfigureAwait(false);
        _tried.Clear();
        _hops = 0;
    }

    private Exception Fail(string why, Answer? last = null) => _report.Fail(why, MayHaveRun, _request.Key, Elapsed, last);
}
