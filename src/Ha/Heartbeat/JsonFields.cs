using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Ha.Heartbeat;

/// <summary>Reads single values of a heartbeat and checks their range. The reader stands on the value.</summary>
internal static class JsonFields
{
    // A URL's characters may each be written as \u0041.
    private const int MaxTextBytes = 6 * Configuration.TargetUrl.MaxLength;

    public static bool Integer(ref Utf8JsonReader json, long max, out long value)
    {
        value = 0;
        return json.TokenType == JsonTokenType.Number && json.TryGetInt64(out value) && value >= 0 && value <= max;
    }

    public static bool Duration(ref Utf8JsonReader json, out long micros) =>
        Integer(ref json, BeatLimits.MaxDurationMicros, out micros);

    public static bool Epoch(ref Utf8JsonReader json, out long epoch) => Integer(ref json, BeatLimits.MaxEpoch, out epoch);

    public static bool Boolean(ref Utf8JsonReader json, out bool value)
    {
        value = json.TokenType == JsonTokenType.True;
        return value || json.TokenType == JsonTokenType.False;
    }

    public static bool Id(ref Utf8JsonReader json, [NotNullWhen(true)] out string? id) => Text(ref json, Wire.Ids, out id);

    public static bool Target(ref Utf8JsonReader json, [NotNullWhen(true)] out string? url) =>
        Text(ref json, Wire.Targets, out url);

    /// <summary>A GUID as 32 hexadecimal digits.</summary>
    public static bool Identity(ref Utf8JsonReader json, out Guid value)
    {
        value = default;
        return json.TokenType == JsonTokenType.String && !json.ValueIsEscaped &&
            Utf8Parser.TryParse(json.ValueSpan, out value, out var consumed, 'N') &&
            consumed == json.ValueSpan.Length;
    }

    /// <summary>One of the words; the value is its place.</summary>
    public static bool Word(ref Utf8JsonReader json, byte[][] words, out int value)
    {
        for (value = 0; value < words.Length; value++)
        {
            if (json.TokenType == JsonTokenType.String && json.ValueTextEquals(words[value].AsSpan(1..^1)))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Text(ref Utf8JsonReader json, TextCache cache, [NotNullWhen(true)] out string? text)
    {
        text = null;
        if (json.TokenType != JsonTokenType.String || json.ValueSpan.Length > MaxTextBytes)
        {
            return false;
        }

        if (!json.ValueIsEscaped)
        {
            return cache.TryGet(json.ValueSpan, out text);
        }

        Span<byte> plain = stackalloc byte[MaxTextBytes];
        return cache.TryGet(plain[..json.CopyString(plain)], out text);
    }
}
