using System.Buffers;
using System.Text;
using System.Text.Json;
using Ha.Configuration;
using Ha.Election;

namespace Ha.Heartbeat;

/// <summary>
/// The names and words of the wire format; docs/heartbeat.md lists them. The order of names is that of the reader's
/// and the writer's switch, the order of words that of the enum.
/// </summary>
internal static class Wire
{
    public static readonly MemberNames Facts = new(
        optional: 3,
        "cluster_id", "id", "incarnation", "target", "public_target", "digest", "lease_us", "candidacy_us", "majority",
        "witness", "quarantined", "role", "eligible", "reach", "epoch", "lease_remaining_us", "max_epoch", "wall_us",
        "released_up_to", "cancelled_epoch", "grant", "hint", "successor");

    public static readonly MemberNames Grant = new(optional: 0, "holder", "epoch", "remaining_us");

    public static readonly MemberNames Hint = new(optional: 0, "target", "epoch");

    public static readonly MemberNames Request = new(
        optional: 0, "from", "to_incarnation", "nonce", "seq", "op", "op_epoch", "op_duration_us");

    public static readonly MemberNames Reply = new(
        optional: 0,
        "status", "from", "to_incarnation", "seq", "nonce", "op_epoch", "granted", "refusal", "refusal_remaining_us",
        "epoch_floor");

    /// <summary>32 hexadecimal digits in quotes.</summary>
    public const int IdentityBytes = 34;

    // The same characters as the configuration allows: what travels here ends up in headers, lists and pages.
    public static readonly SearchValues<char> PlainCharacters =
        SearchValues.Create([.. Enumerable.Range('!', '~' - '!' + 1).Select(c => (char)c).Except(",\"'\\")]);

    // With their quotes.
    public static readonly byte[][] Roles = Words<NodeRole>();
    public static readonly byte[][] Ops = Words<BeatOp>();
    public static readonly byte[][] Statuses = Words<BeatStatus>();
    public static readonly byte[][] Refusals = Words<Refusal>();

    public static readonly TextCache Ids = new(IsId);
    public static readonly TextCache Targets = new(IsTarget);

    private static bool IsId(string text) =>
        text.Length is > 0 and <= BeatLimits.MaxIdLength && !text.AsSpan().ContainsAnyExcept(PlainCharacters);

    private static bool IsTarget(string text) =>
        text.Length <= TargetUrl.MaxLength && TargetUrl.TryNormalise(text, out var normalised, out _) &&
        string.Equals(text, normalised, StringComparison.Ordinal);

    private static byte[][] Words<TEnum>()
        where TEnum : struct, Enum =>
        [.. Enum.GetNames<TEnum>().Select(name => Encoding.ASCII.GetBytes($"\"{JsonNamingPolicy.SnakeCaseLower.ConvertName(name)}\""))];
}
