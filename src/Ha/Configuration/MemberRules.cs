using Ha.Http;

namespace Ha.Configuration;

/// <summary>Who is in the cluster. Valid URLs are rewritten to their normal form on the way.</summary>
internal static class MemberRules
{
    public const int MaxPeers = 100;

    public static void Check(HaOptions options, List<string> problems)
    {
        options.LocalTarget = Normalise(HaKeys.LocalTarget, options.LocalTarget, problems);
        options.PublicTarget = Normalise(HaKeys.PublicTarget, options.PublicTarget, problems);
        options.StaticLeader = Normalise(HaKeys.StaticLeader, options.StaticLeader, problems);
        CheckStaticLeader(options, problems);
        CheckPeers(options, problems);
        AddressRules.Check(options, problems);
        CheckWitness(options, problems);
    }

    private static string? Normalise(string key, string? value, List<string> problems)
    {
        if (value is null)
        {
            return null;
        }

        if (TargetUrl.TryNormalise(value, out var normalised, out var error))
        {
            return normalised;
        }

        problems.Add($"{key} ({TargetUrl.Redact(value)}) {error}.");
        return value;
    }

    private static void CheckPeers(HaOptions options, List<string> problems)
    {
        if (options.Peers.Count > 0 && options.LocalTarget is null)
        {
            problems.Add(
                $"{HaKeys.Peers} ({TargetUrl.Redact(string.Join(',', options.Peers))}) is set but {HaKeys.LocalTarget} is not; " +
                $"set {HaKeys.LocalTarget} to this node's own URL as its peers reach it, such as http://node-1:8080.");
        }

        options.PeersWereNamed |= options.Peers.Count > 0;
        var written = new Dictionary<string, string>(StringComparer.Ordinal);
        var unreadable = new List<string>();
        foreach (var peer in options.Peers)
        {
            if (!TargetUrl.TryNormalise(peer, out var url, out var error))
            {
                problems.Add($"{HaKeys.Peers} ({TargetUrl.Redact(peer ?? "")}) {error}.");
                unreadable.Add(peer ?? "");
            }
            else if (!written.TryAdd(url, peer))
            {
                problems.Add($"{HaKeys.Peers} ({peer}) names {url} a second time, after ({written[url]}); remove one of them.");
                unreadable.Add(peer);
            }
        }

        // All nodes may share one list, so a node finds itself in it.
        var others = written.Keys.Where(url => !string.Equals(url, options.LocalTarget, StringComparison.Ordinal)).ToArray();
        if (others.Length > MaxPeers)
        {
            problems.Add($"{HaKeys.Peers} names {others.Length} other nodes; use at most {MaxPeers}.");
        }

        // Kept as written: a second look must find them again.
        options.Peers.Clear();
        foreach (var peer in others.Concat(unreadable))
        {
            options.Peers.Add(peer);
        }
    }

    /// <summary>A node that does not see that the leader is itself would redirect its clients to itself for ever.</summary>
    private static void CheckStaticLeader(HaOptions options, List<string> problems)
    {
        if (options.StaticLeader is { } leader && leader != options.LocalTarget && leader == options.PublicTarget)
        {
            problems.Add(
                $"{HaKeys.StaticLeader} ({leader}) is this node's {HaKeys.PublicTarget}, but the leader is named by the URL its peers reach; " +
                $"set {HaKeys.StaticLeader} to that node's {HaKeys.LocalTarget} on every node.");
        }
    }

    private static void CheckWitness(HaOptions options, List<string> problems)
    {
        if (!options.Witness)
        {
            return;
        }

        if (options.StaticLeader is not null)
        {
            problems.Add($"{HaKeys.Witness} (true) votes in an election, but {HaKeys.StaticLeader} ({options.StaticLeader}) rules it out; remove one of them.");
        }
        else if (options.Peers.Count == 0)
        {
            problems.Add($"{HaKeys.Witness} (true) never leads, so it needs others: set {HaKeys.Peers}, or remove it.");
        }
        else if (!options.UsesMajority)
        {
            problems.Add(
                $"{HaKeys.Witness} (true) votes, but nobody votes with {HaKeys.Quorum} ({options.Quorum.ToString().ToLowerInvariant()}) and {options.Peers.Count + 1} members; " +
                $"set {HaKeys.Quorum}=majority on every node, or remove it.");
        }
    }
}
