namespace Ha.Tests.Oracle;

/// <summary>A row of "Where we differ from YARP" in docs/forwarding.md.</summary>
/// <param name="Name">As it stands there.</param>
/// <param name="Why">As it stands there.</param>
/// <param name="Explains">Whether a divergence is of this kind.</param>
internal sealed record Difference(string Name, string Why, Func<Divergence, bool> Explains);

internal static class Differences
{
    private const string LeaderHeader = "leader: header ", ClientHeader = "client: header ";
    private static readonly string[] _forwarded = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-prefix", "forwarded"];
    private static readonly string[] _ownQuestions = ["x-base-not-executed", "x-base-method", "x-base-forward"];
    private static readonly string[] _ownAnswers = ["x-base-node", "x-base-leader", "x-base-epoch"];

    public static IReadOnlyList<Difference> All { get; } =
    [
        new("`Host`", "kept", static d => d is { Fact: LeaderHeader + "host", Yarp: Side.Leader }),
        new("`Via`", "added in both directions",
            static d => d.Fact is LeaderHeader + "via" or ClientHeader + "via"
                && string.Equals(d.Ours, d.Yarp is null ? d.Ours : $"{d.Yarp}, {d.Ours!.Split(", ")[^1]}".Replace(", 1.1 follower", d.Fact[0] == 'c' ? "\n1.1 follower" : ", 1.1 follower", StringComparison.Ordinal), StringComparison.Ordinal)),
        new("the hop mark", "x", static d => d is { Fact: LeaderHeader + "x-base-forwarded-by", Ours: "follower", Yarp: null }),
        new("spelling of methods", "x", static d => d is { Fact: LeaderHeader + "x-base-method", Yarp: null } && d.Ours == d.Case.Method),
        new("the target", "x", static d => d.Fact == "leader: target" && d.Ours == Target(d)),
        new("`Content-Length: 0`", "x", static d => d is { Fact: LeaderHeader + "content-length", Ours: "0", Yarp: null }),
        new("`X-Forwarded-*`", "x", static d => _forwarded.Any(name => d.Fact == LeaderHeader + name)),
        new("`X-Base-*` from outside", "x", static d => d.Ours is null && _ownQuestions.Any(name => d.Fact == LeaderHeader + name)),
        new("`X-Base-*` of the leader", "x", static d => d.Ours is null && _ownAnswers.Any(name => d.Fact == ClientHeader + name)),
        new("headers named by `Connection`", "x", static d => d is { Fact: LeaderHeader + "x-hop" or ClientHeader + "x-hop", Ours: null }),
        new("`TE: trailers`", "x", static d => d is { Fact: LeaderHeader + "te", Ours: null, Yarp: "trailers" }),
        new("`Expect: 100-continue`", "x", static d => d is { Fact: LeaderHeader + "expect", Ours: "100-continue", Yarp: null }),
        new("other expectations", "x", static d => d is { Fact: LeaderHeader + "expect", Ours: null, Yarp: "miracles" }),
        new("uploads", "x", static d => d is { Fact: "leader: first half before the rest", Ours: "yes", Yarp: "no" }),
        new("own routes", "x", static d => d.Case.Target.StartsWith("/_ha/", StringComparison.Ordinal)),
        new("headers outside of ASCII", "x", static d => d.Case.Headers.Any(IsOdd) && d.AllYarps["leader: runs"] == "0"),
        new("answers' headers outside of ASCII", "x", static d => IsOdd(d.Case.Reply.Head) && d is { Fact: ['c', ..] } && d.AllYarps["client: status"] == "502"),
        new("long headers", "x", static d => d.Case.Reply.Head.Length > 64 * 1024 && d is { Fact: ['c', ..] } && d.AllYarps["client: status"] == "502"),
        new("gRPC", "x", static d => d.Front == Front.Http2 && d.Case.Headers.Contains("Content-Type: application/grpc")),
        new("the head", "x", static d => d is { Fact: Exchange.HeadFirst, Ours: "yes", Yarp: "no" }),
        new("half an answer", "x", static d => d is { Fact: ['c', ..] } && d.AllOurs[Exchange.End] == Exchange.BrokenOff && d.Case.Reply.Then != Afterwards.Keep),
        new("refusals", "x", static d => d is { Fact: ['c', ..] } && d.Case.Reply.Head.Contains("X-Base-Not-Executed", StringComparison.Ordinal)),
        new("errors", "x", static d => d is { Fact: ['c', ..] } && Status(d.AllOurs) == "502" && Status(d.AllYarps) == "502"),
        new("an upgrade unasked", "x", static d => d is { Fact: ['c', ..] } && d.Case.Reply.IsUpgrade && Status(d.AllOurs) == "502" && Status(d.AllYarps) == "101"),
        new("sent once", "x", static d => d is { Fact: "leader: runs", Ours: "1" or "0" } && d.Yarp != "1"),
    ];

    private static string? Status(IReadOnlyDictionary<string, string> facts) => facts.GetValueOrDefault("client: status");

    private static bool IsOdd(string text) => text.Any(c => c > 126);

    private static string Target(Divergence d) => d.Case.Text is { } text ? text.Split(' ')[1] + " HTTP/1.1" : d.Case.Target + " HTTP/1.1";
}
