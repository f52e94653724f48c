using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Text.Unicode;
using Ha.Http;
using Ha.Tests.Support;

namespace Ha.Tests.Heartbeat;

/// <summary>
/// The tables of docs/heartbeat.md taken at their word: a reader of messages that shares nothing with the one under test
/// but the tokens of JSON.
/// </summary>
internal sealed partial class DocumentedFormat
{
    private const int MaxDepth = 8;

    private static readonly string _document = Repository.Read("docs/heartbeat.md").ReplaceLineEndings("\n");
    private static readonly Member[] _node = MembersUnder("## What a node says about itself\n");

    private readonly Member[] _members;

    private DocumentedFormat(string heading) => _members = MembersUnder(heading);

    public static DocumentedFormat Request { get; } = new("## Request\n");

    public static DocumentedFormat Reply { get; } = new("## Reply\n");

    /// <summary>Every member at any depth.</summary>
    public IEnumerable<Member> Members => _members.Concat(_node).SelectMany(member => member.Inner.Prepend(member));

    /// <returns>The message as the documentation says that it is written; null when it says that it is malformed.</returns>
    public string? Canonical(ReadOnlySpan<byte> utf8)
    {
        if (!Utf8.IsValid(utf8))
        {
            return null;
        }

        try
        {
            using var json = JsonDocument.Parse(utf8.ToArray(), new JsonDocumentOptions { MaxDepth = MaxDepth });
            return Object(json.RootElement, _members);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static string? Object(JsonElement value, Member[] members)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        var written = new List<string>();
        foreach (var member in members)
        {
            var given = value.EnumerateObject().Where(property => property.Name == member.Name).Select(property => property.Value).ToArray();
            if (given.Length != 1 || given[0].ValueKind == JsonValueKind.Null)
            {
                if (given.Length > 1 || !member.Optional)
                {
                    return null;
                }

                continue;
            }

            if (Value(given[0], member) is not { } text)
            {
                return null;
            }

            written.Add($"\"{member.Name}\":{text}");
        }

        return $"{{{string.Join(',', written)}}}";
    }

    private static string? Value(JsonElement value, Member member) => (member.Kind, value.ValueKind) switch
    {
        ("object", _) => Object(value, member.Inner),
        ("boolean", JsonValueKind.True) => "true",
        ("boolean", JsonValueKind.False) => "false",
        ("identity", JsonValueKind.String) => Identity().IsMatch(value.GetRawText()) ? value.GetRawText().ToLowerInvariant() : null,
        ("integer", JsonValueKind.Number) => Integer(value, (1L << 53) - 1),
        ("count", JsonValueKind.Number) => Integer(value, 10_000),
        ("epoch", JsonValueKind.Number) => Integer(value, (1L << 53) - (1L << 40)),
        ("duration", JsonValueKind.Number) => Integer(value, 86_400_000_000),
        ("name", JsonValueKind.String) => Text(value, static text => Name().IsMatch(text)),
        ("URL", JsonValueKind.String) => Text(value, static text => text.All(char.IsAscii) && TargetUrl.TryNormalise(text, out var normal, out _) && text == normal),
        ("word", JsonValueKind.String) => Text(value, member.Words.Contains),
        _ => null,
    };

    private static string? Integer(JsonElement value, long max) =>
        value.TryGetInt64(out var number) && number >= 0 && number <= max ? number.ToString(CultureInfo.InvariantCulture) : null;

    private static string? Text(JsonElement value, Predicate<string> accepts) =>
        value.GetString() is { } text && accepts(text) ? $"\"{text}\"" : null;

    private static Member[] MembersUnder(string heading)
    {
        var section = _document.Split(heading)[1].Split("\n## ")[0];
        return [.. MembersOf(Table(section, "| member |"), section)];
    }

    private static IEnumerable<Member> MembersOf(string table, string section) =>
        from row in Row().Matches(table)
        let kind = row.Groups["kind"].Value
        from name in Code().Matches(row.Groups["names"].Value)
        let inner = kind != "object" ? [] : name.Groups["word"].Value == "from" ? _node : [.. MembersOf(Table(section, $"| member of {name.Value} |"), "")]
        select new Member(
            name.Groups["word"].Value,
            kind,
            row.Groups["optional"].Success,
            [.. kind == "word" ? Code().Matches(row.Groups["meaning"].Value).Select(word => word.Groups["word"].Value) : []],
            inner);

    private static string Table(string section, string head) => section.Split(head)[1].Split("\n\n")[0];

    [GeneratedRegex("""^\| (?<names>`[^|]+`) \| (?<kind>\w+)(?<optional>, optional)? \| (?<meaning>.*) \|$""", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Row();

    [GeneratedRegex("`(?<word>[a-z_]+)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Code();

    [GeneratedRegex("""^"[0-9a-fA-F]{32}"$""", RegexOptions.None, 1000)]
    private static partial Regex Identity();

    [GeneratedRegex("""\A[!-~-[,"'\\]]{1,128}\z""", RegexOptions.None, 1000)]
    private static partial Regex Name();

    internal sealed record Member(string Name, string Kind, bool Optional, string[] Words, Member[] Inner);
}
