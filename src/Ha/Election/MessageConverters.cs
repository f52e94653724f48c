using System.Buffers.Text;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ha.Http;

namespace Ha.Election;

// The kinds of value in a message, as docs/heartbeat.md lists them. Here, and nowhere else, is said what range each has;
// anything beyond is refused as if it were of another type.

/// <summary>Any whole number that every JSON library reads exactly: a sequence number, a wall clock.</summary>
internal class CounterConverter : JsonConverter<long>
{
    public const long MaxSafe = (1L << 53) - 1;

    protected virtual long Max => MaxSafe;

    public override long Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var value) && value >= 0 && value <= Max
            ? value
            : throw new JsonException();

    public override void Write(Utf8JsonWriter writer, long value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
}

internal sealed class EpochConverter : CounterConverter
{
    /// <summary>A double holds it exactly, and it leaves 34 years of microseconds to climb.</summary>
    public const long MaxEpoch = (1L << 53) - (1L << 40);

    protected override long Max => MaxEpoch;
}

/// <summary>Microseconds up to one day: a longer lease makes no sense and would let a liar block a vote.</summary>
internal sealed class DurationConverter : CounterConverter
{
    public const long MaxMicros = 24L * 60 * 60 * 1_000_000;

    protected override long Max => MaxMicros;
}

/// <summary>A number of members.</summary>
internal sealed class ReachConverter : JsonConverter<int>
{
    public const int Max = 10_000;

    public override int Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var value) && value is >= 0 and <= Max
            ? value
            : throw new JsonException();

    public override void Write(Utf8JsonWriter writer, int value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
}

/// <summary>128 bits as 32 hexadecimal digits: an incarnation, a nonce.</summary>
internal sealed class IdentityConverter : JsonConverter<Guid>
{
    public override Guid Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && !reader.ValueIsEscaped
            && Utf8Parser.TryParse(reader.ValueSpan, out Guid value, out var consumed, 'N') && consumed == reader.ValueSpan.Length
            ? value
            : throw new JsonException();

    public override void Write(Utf8JsonWriter writer, Guid value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString("N"));
}

/// <summary>The id of a node or a cluster, or a digest.</summary>
internal class NameConverter : JsonConverter<string>
{
    public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && reader.GetString() is { } text && IsValid(text) ? text : throw new JsonException();

    // Nothing of what is valid has to be escaped, and the default would do so to a plus sign.
    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(
        IsValid(value)
            ? JsonEncodedText.Encode(value, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)
            : throw new InvalidOperationException("An id or a URL is too long, not in normal form or not plain ASCII."));

    protected virtual bool IsValid(string text) => PlainName.IsValid(text);
}

/// <summary>A node's base URL in its one spelling: it ends up in headers and pages and is compared as text.</summary>
internal sealed class UrlConverter : NameConverter
{
    protected override bool IsValid(string text) => Ascii.IsValid(text) && TargetUrl.IsNormalised(text);
}

/// <summary>A member of an enum in snake case.</summary>
internal sealed class WordConverter<TEnum> : JsonConverter<TEnum>
    where TEnum : struct, Enum
{
    private static readonly TEnum[] _values = Enum.GetValues<TEnum>();
    private static readonly string[] _words = [.. Enum.GetNames<TEnum>().Select(JsonNamingPolicy.SnakeCaseLower.ConvertName)];

    public static IReadOnlyList<string> Words => _words;

    public static string Of(TEnum value) => _words[Array.IndexOf(_values, value)];

    public override TEnum Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        for (var i = 0; reader.TokenType == JsonTokenType.String && i < _words.Length; i++)
        {
            if (reader.ValueTextEquals(_words[i]))
            {
                return _values[i];
            }
        }

        throw new JsonException();
    }

    public override void Write(Utf8JsonWriter writer, TEnum value, JsonSerializerOptions options) => writer.WriteStringValue(Of(value));
}
