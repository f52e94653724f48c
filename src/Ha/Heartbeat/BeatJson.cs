using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using Ha.Election;

namespace Ha.Heartbeat;

/// <summary>
/// The JSON of heartbeat messages, see docs/heartbeat.md. Reading is strict and total: whatever the bytes are, it
/// returns a message whose every value is in range, or false and a short reason that repeats nothing of the input.
/// </summary>
internal static class BeatJson
{
    /// <summary>Longest request and reply body.</summary>
    public const int MaxBodyBytes = 16 * 1024;

    /// <summary>Deepest nesting; our own messages need three.</summary>
    public const int MaxDepth = 8;

    private const string NotAnObject = "not a JSON object";
    private const string NotJson = "not valid JSON, or nested too deeply";

    public static byte[] Serialize(Beat beat) => JsonSerializer.SerializeToUtf8Bytes(beat, BeatContext.Default.Beat);

    public static byte[] Serialize(BeatReply reply) => JsonSerializer.SerializeToUtf8Bytes(reply, BeatContext.Default.BeatReply);

    public static bool TryParse(ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out Beat? beat, out string reason) =>
        TryParse(utf8, BeatContext.Default.Beat, out beat, out reason);

    public static bool TryParse(ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out BeatReply? reply, out string reason) =>
        TryParse(utf8, BeatContext.Default.BeatReply, out reply, out reason);

    private static bool TryParse<T>(ReadOnlySpan<byte> utf8, JsonTypeInfo<T> type, [NotNullWhen(true)] out T? message, out string reason)
        where T : class
    {
        message = null;

        // The encoding is checked here for the whole text: the parser does not look into strings that it skips.
        reason = utf8.Length > MaxBodyBytes ? "longer than 16 KiB"
            : utf8.IsEmpty ? "empty"
            : Utf8.IsValid(utf8) ? ""
            : "not valid UTF-8";
        if (reason.Length > 0)
        {
            return false;
        }

        try
        {
            message = JsonSerializer.Deserialize(utf8, type);
            reason = message is null ? NotAnObject : "";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            reason = Explain(utf8, type, (e as JsonException)?.Path);
        }

        return message is not null;
    }

    /// <summary>In words of our own: the parser's repeat the input and change with its version.</summary>
    /// <param name="utf8">What was refused.</param>
    /// <param name="type">What it should have been.</param>
    /// <param name="path">Where the parser stopped.</param>
    private static string Explain(ReadOnlySpan<byte> utf8, JsonTypeInfo type, string? path)
    {
        try
        {
            using var document = JsonDocument.Parse(utf8.ToArray(), new JsonDocumentOptions { MaxDepth = MaxDepth });
            return document.RootElement.ValueKind != JsonValueKind.Object ? NotAnObject
                : Miscounted(document.RootElement, type)
                ?? $"member {path?[(path.LastIndexOf('.') + 1)..]} has a wrong type or value";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: the parser's word for an escape that is half a surrogate pair.
            return NotJson;
        }
    }

    /// <summary>Names the first member that is missing or given twice; null when there is none.</summary>
    private static string? Miscounted(JsonElement value, JsonTypeInfo type)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        var given = value.EnumerateObject().ToLookup(property => property.Name, property => property.Value, StringComparer.Ordinal);
        foreach (var member in type.Properties)
        {
            var fault = given[member.Name].ToList() switch
            {
                [] => member.IsRequired ? $"member {member.Name} is missing" : null,
                [var one] => Miscounted(one, type.Options.GetTypeInfo(member.PropertyType)),
                _ => $"member {member.Name} is given twice",
            };
            if (fault is not null)
            {
                return fault;
            }
        }

        return null;
    }
}
