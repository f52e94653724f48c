using System.Buffers;
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

    // The same characters as the configuration allows: what travels here ends up in headers, lists and pages.
    private static readonly SearchValues<char> _idCharacters =
        SearchValues.Create([.. Enumerable.Range('!', '~' - '!' + 1).Select(c => (char)c).Except(",\"'\\")]);

    public static readonly JsonEncodedText[] Roles = Words<NodeRole>();
    public static readonly JsonEncodedText[] Ops = Words<BeatOp>();
    public static readonly JsonEncodedText[] Statuses = Words<BeatStatus>();
    public static readonly JsonEncodedText[] Refusals = Words<Refusal>();

    public static readonly TextCache Ids = new(IsId);
    public static readonly TextCache Targets = new(IsTarget);

    private static bool IsId(string text) =>
        text.Length is > 0 and <= BeatLimits.MaxIdLength && !text.AsSpan().ContainsAnyExcept(_idCharacters);

    private static bool IsTarget(string text) =>
        text.Length <= TargetUrl.MaxLength && TargetUrl.TryNormalise(text, out var normalised, out _) &&
        string.Equals(text, normalised, StringComparison.Ordinal);

    private static JsonEncodedText[] Words<TEnum>()
        where TEnum : struct, Enum =>
        [.. Enum.GetNames<TEnum>().Select(name => JsonEncodedText.Encode(JsonNamingPolicy.SnakeCaseLower.ConvertName(name)))];
}
