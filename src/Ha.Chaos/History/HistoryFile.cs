using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ha.Chaos.History;

/// <summary>A history as a file of JSON lines.</summary>
internal static class HistoryFile
{
    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        AllowOutOfOrderMetadataProperties = true,
    };

    public static string Format(HistoryLine line) => JsonSerializer.Serialize(line, _json);

    public static HistoryLine Parse(string line) => JsonSerializer.Deserialize<HistoryLine>(line, _json)
        ?? throw new JsonException("null is not a line of a history");

    /// <summary>Reads a whole history. A last line that was cut off by a crash is left out.</summary>
    public static IReadOnlyList<HistoryLine> Read(string path)
    {
        var text = File.ReadAllText(path);
        var whole = text[..(text.LastIndexOf('\n') + 1)];
        return [.. whole.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Parse)];
    }
}
