using Ha.Http;

namespace Ha.Configuration;

/// <summary>Reads who is in the cluster.</summary>
internal static class MemberRules
{
    public const int MaxPeers = 100;

    /// <returns>What cannot be read stands in it as written, so that it is not taken for missing too.</returns>
    public static Members Parse(HaOptions options, List<string> problems)
    {
        var members = new Members(
            Normalise(HaKeys.LocalTarget, options.LocalTarget, problems),
            Normalise(HaKeys.PublicTarget, options.PublicTarget, problems),
            Normalise(HaKeys.StaticLeader, options.StaticLeader, problems),
            Peers: [],
            UsesMajority: false);
        CheckStaticLeader(members, problems);
        var peers = ReadPeers(options, members.LocalTarget, problems);
        var majority = options.Quorum == QuorumMode.Majority || (options.Quorum == QuorumMode.Auto && peers.Length != 1);
        members = members with { Peers = peers, UsesMajority = majority };
        AddressRules.Check(members, problems);
        if (options.Witness)
        {
            CheckWitness(options, members, problems);
        }

        return members;
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

    private static string[] ReadPeers(HaOptions options, string? localTarget, List<string> problems)
    {
        if (options.Peers.Count > 0 && localTarget is null)
        {
            problems.Add(
                $"{HaKeys.Peers} ({TargetUrl.Redact(string.Join(',', options.Peers))}) is set but {HaKeys.LocalTarget} is not; " +
                $"set {HaKeys.LocalTarget} to this node's own URL as its peers reach it, such as http://node-1:8080.");
        }

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
        var others = written.Keys.Where(url => !string.Equals(url, localTarget, StringComparison.Ordinal)).ToArray();
        if (others.Length > MaxPeers)
        {
            problems.Add($"{HaKeys.Peers} names {others.Length} other nodes; use at most {MaxPeers}.");
        }

        return [.. others, .. unreadable];
    }

    /// <summary>A node that does not see that the leader is itself would redirect its clients to itself for ever.</summary>
    private static void CheckStaticLeader(Members members, List<string> problems)
    {
        if (members.StaticLeader is { } leader && leader != members.LocalTarget && leader == members.PublicTarget)
        {
            problems.Add(
                $"{HaKeys.StaticLeader} ({leader}) is this node's {HaKeys.PublicTarget}, but the leader is named by the URL its peers reach; " +
                $"set {HaKeys.StaticLeader} to that node's {HaKeys.LocalTarget} on every node.");
        }
    }

    private static void CheckWitness(HaOptions options, Members members, List<string> problems)
    {
        if (options.LeaseStore is not null)
        {
            problems.Add($"{HaKeys.Witness} (true) votes in an election, but {HaKeys.LeaseStore} elects without votes; remove one of them.");
        }
        else if (members.StaticLeader is { } leader)
        {
            problems.Add($"{HaKeys.Witness} (true) votes in an election, but {HaKeys.StaticLeader} ({leader}) rules it out; remove one of them.");
        }
        else if (members.Peers.Count == 0)
        {
            problems.Add($"{HaKeys.Witness} (true) never leads, so it needs others: set {HaKeys.Peers}, or remove it.");
        }
        else if (!members.UsesMajority)
        {
            problems.Add(
                $"{HaKeys.Witness} (true) votes, but nobody votes with {HaKeys.Quorum} ({options.Quorum.ToString().ToLowerInvariant()}) and {members.Peers.Count + 1} members; " +
                $"set {HaKeys.Quorum}=majority on every node, or remove it.");
        }
    }
}
