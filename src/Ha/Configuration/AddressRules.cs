using System.Net;
using Ha.Http;

namespace Ha.Configuration;

/// <summary>
/// Members are told apart by their URLs. So two spellings of one address would be two members, and an address that
/// leads each machine to itself would be as many as there are machines.
/// </summary>
internal static class AddressRules
{
    private const string Localhost = "localhost";

    public static void Check(Members members, List<string> problems)
    {
        var places = Places(members);
        CheckSpellings(places, problems);
        if (members.Elects)
        {
            CheckLoopback(places, problems);
        }
    }

    private static List<Member> Places(Members members)
    {
        IEnumerable<(string Key, string? Url)> written =
        [
            (HaKeys.LocalTarget, members.LocalTarget),
            (HaKeys.StaticLeader, members.StaticLeader),
            .. members.Elects ? members.Peers.Select(peer => (HaKeys.Peers, (string?)peer)) : [],
        ];
        return
        [
            .. from entry in written
               where TargetUrl.TryNormalise(entry.Url, out var normalised, out _) && normalised == entry.Url
               select Member.Create(entry.Key, entry.Url),
        ];
    }

    private static void CheckSpellings(List<Member> members, List<string> problems)
    {
        foreach (var place in members.GroupBy(member => (member.Host, member.Port)))
        {
            var first = place.First();
            problems.AddRange(
                from other in place
                where other.Url != first.Url
                select $"{other.Key} ({other.Url}) is {first.Key} ({first.Url}) in another spelling, and members are told apart by their URLs; " +
                    "write each URL the same way in every setting, on every node.");
        }
    }

    /// <summary>
    /// A cluster on one machine is all loopback, any other not at all. Nobody compares a fixed leader with others, so that
    /// may be behind a proxy of each machine's own.
    /// </summary>
    private static void CheckLoopback(List<Member> members, List<string> problems)
    {
        if (members.Find(member => !member.IsLoopback) is { } elsewhere)
        {
            problems.AddRange(
                from member in members
                where member.IsLoopback
                select $"{member.Key} ({member.Url}) leads each machine to itself, but {elsewhere.Key} ({elsewhere.Url}) is no loopback address; " +
                    "write the name or address that the other nodes reach.");
        }
    }

    private sealed record Member(string Key, string Url, string Host, int Port, bool IsLoopback)
    {
        public static Member Create(string key, string url)
        {
            var uri = new Uri(url);
            var name = uri.IdnHost.TrimEnd('.');
            if (!IPAddress.TryParse(name, out var address))
            {
                return new Member(key, url, name, uri.Port, name is Localhost || name.EndsWith("." + Localhost, StringComparison.Ordinal));
            }

            address = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
            var host = address.Equals(IPAddress.Loopback) || address.Equals(IPAddress.IPv6Loopback) ? Localhost : address.ToString();
            return new Member(key, url, host, uri.Port, IPAddress.IsLoopback(address));
        }
    }
}
