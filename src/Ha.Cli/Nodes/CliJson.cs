using System.Text.Json;
using System.Text.Json.Serialization;
using Ha.Http;

namespace Ha.Cli.Nodes;

/// <summary>The part of an <see cref="HaProblem"/> that says why.</summary>
internal sealed record Refusal(string? Error);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ClusterStatus))]
[JsonSerializable(typeof(Refusal))]
internal sealed partial class CliJson : JsonSerializerContext
{
    // The options of the attribute are those of Default alone.
    private static readonly CliJson _indented =
        new(new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true });

    public static string Indented(ClusterStatus status) => JsonSerializer.Serialize(status, _indented.ClusterStatus);

    public static string Line(ClusterStatus status) => JsonSerializer.Serialize(status, Default.ClusterStatus);
}
