using Ha.Http;

namespace Ha.Client.Routing;

/// <summary>Asks nodes at <c>GET /_ha/leader</c>, without the caller's headers. To learn nothing is no error.</summary>
internal static class LeaderLookup
{
    private const int MaxAsked = 3;

    public static async Task AskAsync(
        RoutingContext routing,
        CallRequest call,
        AttemptSender.Transport transport,
        CancellationToken cancellationToken)
    {
        var asked = new HashSet<Member>();
        while (asked.Count < MaxAsked && routing.Map.LeaderNow is null &&
            routing.Map.Choose(toLeader: false, asked, routing.Options.ConnectTimeout) is { } member)
        {
            asked.Add(member);
            using var timer = new CancellationTokenSource(2 * routing.Options.ConnectTimeout, routing.Clock);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
            try
            {
                routing.Asked(member, Meaning.Final, await AskAsync(routing, call, member, transport, both.Token).ConfigureAwait(false));
            }
            catch (Exception error) when (Failure.IsOfTransport(error, cancellationToken))
            {
                var word = Failure.Describe(error);
                routing.Map.Failed(member, routing.Jitter(), word);
                routing.Asked(member, Meaning.Unreachable, word);
            }
        }
    }

    /// <returns>What the node said, for people.</returns>
    private static async Task<string> AskAsync(
        RoutingContext routing,
        CallRequest call,
        Member member,
        AttemptSender.Transport transport,
        CancellationToken cancellationToken)
    {
        using var request = call.CreateQuestion(member, HaRoutes.Leader);
        using var response = await transport(request, cancellationToken).ConfigureAwait(false);
        routing.Map.Answered(member);
        routing.Map.Hear(member, AnswerReader.NamedEpoch(response));
        if (AnswerReader.ShowsItself(response))
        {
            routing.Map.ShowsNodes = true;
        }

        if (!response.IsSuccessStatusCode)
        {
            return $"{(int)response.StatusCode}";
        }

        var json = await AnswerBody.ReadAsync(response, CancellationToken.None, cancellationToken).ConfigureAwait(false);
        if (AnswerReader.Text(json ?? default, "leader_url") is not { Length: > 0 } leader)
        {
            return "nobody";
        }

        routing.Map.Learn(leader, AnswerReader.Epoch(response), member);
        return leader;
    }

    private static void Asked(this RoutingContext routing, Member member, Meaning meaning, string word)
    {
        routing.Metrics.Attempted(routing.Client, member.Url, ClientMetrics.Lookup, meaning);
        routing.Log.Asked(member.Url, word);
    }
}
