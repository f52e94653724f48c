namespace Ha.Tests.Oracle;

/// <summary>A row of "Where we differ from YARP" in docs/forwarding.md.</summary>
/// <param name="Name">As it stands there.</param>
/// <param name="Why">As it stands there.</param>
/// <param name="Explains">Whether a divergence is of this kind.</param>
internal sealed record Difference(string Name, string Why, Func<Divergence, bool> Explains);

internal static class Differences
{
    private const string LeaderHeader = "leader: header ", ClientHeader = "client: header ";
    private static readonly string[] _forwarded =
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-prefix", "forwarded"];
    private static readonly string[] _fromClients = ["x-base-not-executed", "x-base-method", "x-base-forward"];
    private static readonly string[] _reads = ["GET", "HEAD", "QUERY", "OPTIONS", "TRACE"];
    private static readonly string[] _fromLeader = ["x-base-node", "x-base-leader", "x-base-epoch"];

    public static IReadOnlyList<Difference> All { get; } =
    [
        new("request target",
            "Passed byte for byte. YARP decodes it and encodes it again: `/a%2Fb` becomes `/a%252Fb`, and `/a/../b` becomes `/b`.",
            static d => d.Fact == "leader: target" && d.Ours == Target(d.Case)),
        new("`Host`",
            "Kept: the leader's application sees the host that its client has asked. YARP's default is the destination's own.",
            static d => d is { Fact: LeaderHeader + "host", Yarp: Side.Leader }),
        new("`X-Forwarded-*`",
            "Appended to what is there, and `X-Forwarded-Prefix` and `Forwarded` pass: whom to believe is for " +
            "`UseForwardedHeaders` on the leader to say. YARP's default overwrites or drops them.",
            static d => _forwarded.Any(name => d.Fact == LeaderHeader + name)),
        new("`Via`",
            "Added in both directions (RFC 9110 section 7.6.3).",
            static d => d.Fact is LeaderHeader + "via" or ClientHeader + "via"
                && d.Ours?.StartsWith(d.Yarp ?? "", StringComparison.Ordinal) == true
                && d.Ours.EndsWith(" follower", StringComparison.Ordinal)),
        new("`X-Base-Forwarded-By`",
            "Marks what was forwarded: nobody forwards it again.",
            static d => d is { Fact: LeaderHeader + "x-base-forwarded-by", Ours: "follower", Yarp: null }),
        new("`X-Base-*` from clients",
            "`X-Base-Not-Executed`, `X-Base-Method` and `X-Base-Forward` end here: between nodes they belong to the protocol.",
            static d => d.Ours is null && _fromClients.Any(name => d.Fact == LeaderHeader + name)),
        new("`X-Base-*` from the leader",
            "`X-Base-Node`, `X-Base-Leader` and `X-Base-Epoch` of an answer are those of the node that the client asked.",
            static d => d.Ours is null && _fromLeader.Any(name => d.Fact == ClientHeader + name)),
        new("spelling of methods",
            "Both send `patch` as `PATCH`, as .NET's client does. Here `X-Base-Method` tells the leader, which restores it.",
            static d => d.Fact == LeaderHeader + "x-base-method" && d.Ours == d.Case.Method),
        new("`Connection`-named headers",
            "Dropped in both directions (RFC 9110 section 7.6.1). YARP passes them.",
            static d => d is { Fact: LeaderHeader + "x-hop" or ClientHeader + "x-hop", Ours: null }),
        new("`TE: trailers`",
            "Dropped but for gRPC: the leader is asked over HTTP/1.1. YARP passes it if it came over HTTP/2.",
            static d => d is { Fact: LeaderHeader + "te", Ours: null, Yarp: "trailers" }),
        new("`Content-Length: 0`",
            "Stated for each write without a body, since with no content at all .NET's client repeats a request by itself; " +
            "not copied for reads.",
            static d => d is { Fact: LeaderHeader + "content-length", Ours: "0", Yarp: null }
                or { Fact: LeaderHeader + "content-length", Ours: null, Yarp: "0" }),
        new("a connection that closes before the answer",
            "A write is sent once, a read twice. YARP's client sends what has no body up to four times, and what has one once.",
            static d => d is { Fact: "leader: runs", Yarp: "1" or "2" or "3" or "4" }
                && d.Ours == (_reads.Contains(d.Case.Method, StringComparer.OrdinalIgnoreCase) ? "2" : "1")),
        new("`Expect: 100-continue`",
            "Added to bodies of more than 64 KiB or of unknown length, which stay with the client until a leader takes them.",
            static d => d is { Fact: LeaderHeader + "expect", Ours: "100-continue", Yarp: null or "miracles" }),
        new("other expectations",
            "Dropped: the standard knows no other. YARP passes them.",
            static d => d is { Fact: LeaderHeader + "expect", Ours: null, Yarp: "miracles" }),
        new("uploads in pieces",
            "Flushed to the leader whenever nothing more is here. YARP does so for gRPC only.",
            static d => d is { Fact: Exchange.UploadFirst, Ours: "yes", Yarp: "no" }),
        new("bad chunks",
            "Left to this node's server, which answers 400 and closes the connection. YARP answers 400 and leaves it open.",
            static d => d is { Fact: ClientHeader + "connection", Ours: "close", Yarp: null }
                && Status(d.AllOurs) == "400" && Status(d.AllYarps) == "400"),
        new("request headers outside of ASCII",
            "Pass byte for byte. YARP answers 502 without asking the leader.",
            static d => d.Case.Headers.Any(IsOdd) && d.AllYarps["leader: runs"] == "0"),
        new("answer headers outside of ASCII",
            "Pass byte for byte if this node's server may send them, else they alone are dropped. " +
            "YARP answers 502 after the leader has executed the write.",
            static d => d.IsClients && IsOdd(d.Case.Reply.Head) && Status(d.AllYarps) == "502"),
        new("long answer headers",
            "Up to 4 MiB. YARP's client takes 64 KiB, and it answers 502 after the leader has executed the write.",
            static d => d.IsClients && d.Case.Reply.Head.Length > 64 * 1024 && Status(d.AllYarps) == "502"),
        new("heads that come before their bodies",
            "Passed on at once. YARP waits for the first byte of the body.",
            static d => d is { Fact: Exchange.HeadFirst, Ours: "yes", Yarp: "no" }),
        new("answers that break off",
            "Break off for the client too: its connection closes, or the stream is reset with INTERNAL_ERROR. " +
            "YARP resets with CANCEL, and answers 502 if no byte of the body has come.",
            static d => d.IsClients && d.AllOurs[Exchange.End] == Exchange.BrokenOff && d.Case.Reply.Then != Afterwards.Keep),
        new("502",
            "Has a problem body: `outcome unknown`. YARP's has none.",
            static d => d.IsClients && Status(d.AllOurs) == "502" && Status(d.AllYarps) == "502"),
        new("a leader that refuses",
            "Its `X-Base-Not-Executed` does not reach the client while another leader may come: the write waits, " +
            "and the last word is this node's. YARP passes it.",
            static d => d.IsClients && d.Case.Reply.Head.Contains("X-Base-Not-Executed", StringComparison.Ordinal)),
        new("a 101 that nobody asked for",
            "502, `outcome unknown`. YARP passes it on over HTTP/1.1.",
            static d => d.IsClients && d.Case.Reply.IsUpgrade && Status(d.AllOurs) == "502"),
        new("gRPC",
            "Over HTTP/2 or not at all: a call that cannot be placed ends with a `grpc-status`. YARP falls back to HTTP/1.1, " +
            "where its trailers get lost, and answers 502 where it fails. No `Expect` passes: " +
            "a call may be answered before its first message.",
            static d => d.Case.Headers.Contains("Content-Type: application/grpc", StringComparer.Ordinal)
                && (d.AllOurs.ContainsKey(ClientHeader + "grpc-status") || d is { Fact: LeaderHeader + "expect", Ours: null })),
        new("WebSockets over HTTP/2",
            "Refused with 503. YARP makes them an upgrade of HTTP/1.1.",
            static d => d is { Front: Front.Http2, Case.Method: "CONNECT" }),
        new("`/_ha/*`",
            "Each node's own, never forwarded.",
            static d => d.Case.Target.StartsWith("/_ha/", StringComparison.Ordinal)),
    ];

    private static string? Status(IReadOnlyDictionary<string, string> facts) => facts.GetValueOrDefault("client: status");

    private static bool IsOdd(string text) => text.Any(c => c > 126);

    private static string Target(OracleCase one) =>
        (one.Text?.Split(' ')[1].Replace("http://shop.example", "", StringComparison.Ordinal) ?? one.Target) + " HTTP/1.1";
}
