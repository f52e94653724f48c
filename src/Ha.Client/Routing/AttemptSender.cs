using Ha.Http;

namespace Ha.Client.Routing;

/// <summary>Sends one copy of a request to one node, and says what came of it; knows nothing of repetition.</summary>
internal sealed class AttemptSender(RoutingContext routing, CallRequest request, AttemptSender.Transport transport)
{
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
        try
        {
            return await ExchangeAsync(member, mark, both.Token);
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

    private async Task<Answer> ExchangeAsync(Member member, SentMark mark, CancellationToken cancellationToken)
    {
        var attempt = request.CreateAttempt(member);
        mark.Attach(attempt, request.Body);
        if (!member.Trusted && request.HasCredentials)
        {
            routing.Log.CredentialsDropped(request.Name, member.Url);
        }

        var response = await transport(attempt, cancellationToken);
        try
        {
            routing.Map.Answered(member);
            if (member.Trusted && AnswerReader.First(response, HaHeaders.Leader) is { } leader)
            {
                routing.Map.Learn(leader, AnswerReader.Epoch(response), member);
            }

            return await AnswerReader.ReadAsync(response, attempt.RequestUri!, routing.Clock, cancellationToken);
        }
        catch
        {
            response.Dispose();
            throw;
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

        if (answer.Meaning is Meaning.Unreachable or Meaning.TimedOut)
        {
            routing.Map.Failed(member, routing.Options.MaxNodeBackoff, routing.Jitter(), answer.Word);
        }

        routing.Map.Forget(member);
    }
}
