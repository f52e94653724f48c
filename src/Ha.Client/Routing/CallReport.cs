using System.Text;

namespace Ha.Client.Routing;

/// <summary>What each node said during one call, for the one exception at its end.</summary>
internal sealed class CallReport(string request, IReadOnlyList<Member> configured)
{
    private readonly List<Member> _order = [];
    private readonly Dictionary<Member, (int Attempts, string Word)> _words = [];

    public void Add(Member member, string word)
    {
        if (!_words.TryGetValue(member, out var entry))
        {
            _order.Add(member);
        }

        _words[member] = (entry.Attempts + 1, word);
    }

    public Exception Fail(string why, bool outcomeUnknown, string? key, TimeSpan elapsed, Answer? last)
    {
        var nodes = _order.Select(member => new NodeReport(new Uri(member.Url), _words[member].Attempts, _words[member].Word))
            .Concat(configured.Where(member => !_words.ContainsKey(member)).Select(NotAsked))
            .ToArray();
        var message = new StringBuilder()
            .Append(request)
            .Append(outcomeUnknown ? " may or may not have been executed" : " was not answered")
            .Append(FormattableString.Invariant($" after {elapsed.TotalSeconds:0.###} s: {why}."));
        foreach (var node in nodes)
        {
            message.Append(' ').Append(MemberUrl.Of(node.Node)).Append(node.Attempts > 1 ? $" ({node.Attempts} times): " : ": ").Append(node.LastWord).Append(';');
        }

        message[^1] = '.';
        if (outcomeUnknown)
        {
            return new WriteOutcomeUnknownException(message.ToString(), key, nodes, last?.Error);
        }

        var transport = (last?.Error as HttpRequestException)?.HttpRequestError ?? HttpRequestError.Unknown;
        return new LeaderRoutingException(message.ToString(), nodes, transport, last?.Response?.StatusCode, last?.Error);
    }

    private static NodeReport NotAsked(Member member) => new(
        new Uri(member.Url),
        0,
        member.Failures > 0 ? "not asked, avoided after failures" : "not asked");
}
