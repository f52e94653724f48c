using System.Net.Http.Headers;
using Ha.Http;

namespace Ha.Client.Routing;

/// <summary>Sends one copy of a request to one node, and says what came of it; knows nothing of repetition.</summary>
internal sealed class AttemptSender(RoutingContext routing, CallRequest request, AttemptSender.Transport transport)
{
    private bool _oneBrokeOff;

    /// <summary>The handler below.</summary>
    public delegate Task<HttpResponseMessage> Transport(HttpRequestMessage request, CancellationToken cancellationToken);

    public Task AskForLeaderAsync(CancellationToken cancellationToken) => LeaderLookup.AskAsync(routing, request, transport, cancellationToken);

    /// <summary>
    /// Failures of the transport are answers too; only the caller's own cancellation is thrown, and remembered as an
    /// unknown outcome of a write unless nothing was sent.
    /// </summary>
    public async Task<Answer> SendAsync(Member member, TimeSpan limit, CancellationToken cancellationToken)
    {
        var started = routing.Clock.GetTimestamp();
        var mark = new SentMark();
        using var timer = new CancellationTokenSource(limit, routing.Clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
        var authorization = await AuthorizeAsync(member, limit, cancellationToken).ConfigureAwait(false);
        try
        {
            var answer = await ExchangeAsync(member, mark, authorization, both.Token).ConfigureAwait(false);
            if (answer.Meaning == Meaning.Final && request.IsRepeatable && !_oneBrokeOff)
            {
                timer.CancelAfter(Timeout.InfiniteTimeSpan);
                await ArriveAsync(answer.Response!, limit - routing.Clock.GetElapsedTime(started), cancellationToken).ConfigureAwait(false);
            }

            return answer;
        }
        catch (Exception error) when (Failure.IsOfTransport(error, cancellationToken))
        {
            var answer = Judge(error, mark, timer.IsCancellationRequested ? limit : null);
            Remember(member, answer, started);
            return answer;
        }
        catch (Exception error)
        {
            // Whether it is a cancellation or a bug, it says nothing about what was sent.
            if (request.IsWrite && !Failure.NothingWasSent(error, mark, routing.Proof, timedOut: true))
            {
                request.History.BecomeUnknown();
            }

            throw;
        }
    }

    private async Task<Answer> ExchangeAsync(Member member, SentMark mark, AuthenticationHeaderValue? authorization, CancellationToken cancellationToken)
    {
        var attempt = request.CreateAttempt(member, routing.Map, authorization);
        mark.Attach(attempt, request.Body);
        if (!member.Trusted && (request.HasCredentials || routing.Options.GetAuthorization is not null))
        {
            routing.Log.CredentialsDropped(request.Name, member.Url);
        }

        var before = routing.Map.Position.Newest;
        var response = await transport(attempt, cancellationToken).ConfigureAwait(false);
        try
        {
            routing.Map.Answered(member);
            if (member.Trusted)
            {
                Learn(member, response);
            }

            // From whomever a node has named the leader: it is no secret, and a wrong one makes a read slower at most.
            if (request.IsWrite && AnswerReader.First(response, HaHeaders.Position) is { } position)
            {
                routing.Map.Position.Take(position, before);
            }

            var unseenWrite = request.IsWrite && routing.Map.ShowsNodes;
            var answer = await AnswerReader.ReadAsync(response, attempt.RequestUri!, unseenWrite, routing.Clock, cancellationToken).ConfigureAwait(false);
            if (answer.Meaning == Meaning.Final && request is { IsWrite: true, ToLeader: true })
            {
                routing.Map.LearnByAnswer(member, AnswerReader.First(response, HaHeaders.Leader), AnswerReader.Epoch(response));
            }

            return answer;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    // A node may be killed in the middle of its answer. A second one that breaks off is the application's doing, and the caller's to see.
    private async Task ArriveAsync(HttpResponseMessage response, TimeSpan left, CancellationToken cancellationToken)
    {
        try
        {
            await AnswerBody.ArriveAsync(response, left, routing.Clock, cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
        }
        catch
        {
            _oneBrokeOff = true;
            response.Dispose();
            throw;
        }
    }

    private void Learn(Member member, HttpResponseMessage response)
    {
        routing.Map.Hear(member, AnswerReader.NamedEpoch(response));
        if (AnswerReader.First(response, HaHeaders.Leader) is { } leader)
        {
            routing.Map.Learn(leader, AnswerReader.Epoch(response), member);
        }

        if (AnswerReader.ShowsItself(response))
        {
            routing.Map.ShowsNodes = true;
        }
    }

    // Nothing is sent before this. A failure in here says nothing of the node. It leaves the attempt enough time for an answer.
    private async Task<AuthenticationHeaderValue?> AuthorizeAsync(Member member, TimeSpan limit, CancellationToken cancellationToken)
    {
        if (!member.Trusted || routing.Options.GetAuthorization is not { } authorize)
        {
            return null;
        }

        using var timer = new CancellationTokenSource(limit - (limit < 2 * RoutedCall.ShortestRound ? limit / 2 : RoutedCall.ShortestRound), routing.Clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
        try
        {
            return await authorize(new Uri(member.Name), both.Token).AsTask().WaitAsync(both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (OperationCanceledException error) when (timer.IsCancellationRequested)
        {
            throw new NoAuthorizationException(new TimeoutException("GetAuthorization gave no answer in the time of the attempt.", error));
        }
        catch (Exception error)
        {
            throw new NoAuthorizationException(error);
        }
    }

    private Answer Judge(Exception error, SentMark mark, TimeSpan? timedOutAfter)
    {
        if (mark.Unprocessed || Failure.IsRefusedStream(error))
        {
            return new Answer(Meaning.Refused, "stream refused") { Error = error };
        }

        var nothingSent = Failure.NothingWasSent(error, mark, routing.Proof, timedOutAfter is not null);
        var word = timedOutAfter is { } limit
            ? FormattableString.Invariant($"no {(nothingSent ? "connection" : "answer")} within {limit.TotalSeconds:0.###} s")
            : Failure.Describe(error);
        var meaning = nothingSent ? Meaning.Unreachable : timedOutAfter is not null ? Meaning.TimedOut : Meaning.Broken;
        return new Answer(meaning, word) { Error = error };
    }

    // A connection that breaks may have been an old one: the node stays in turn, but is not taken for the leader.
    private void Remember(Member member, Answer answer, long started)
    {
        if (answer.Meaning == Meaning.TimedOut && !ClusterMap.IsSilentSince(member, started))
        {
            return;
        }

        routing.Map.LookAgain(anyway: true);
        if (answer.Meaning is Meaning.Unreachable or Meaning.TimedOut)
        {
            routing.Map.Failed(member, routing.Jitter(), answer.Word);
        }

        routing.Map.Forget(member);
    }
}

/// <summary>The application's hook failed with the inner exception, which is the caller's to see.</summary>
internal sealed class NoAuthorizationException(Exception cause) : Exception(cause.Message, cause);
