using System.Text.Json.Serialization;
using Ha.Election;

namespace Ha.Heartbeat;

/// <summary>
/// How heartbeat messages are spelled. Strict but for members that are unknown: those are ignored, so that newer nodes can
/// add some. Whatever is not said here is strict by default: case, comments, trailing commas, numbers in quotes.
/// </summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    MaxDepth = BeatJson.MaxDepth,
    Converters = [typeof(CounterConverter), typeof(ReachConverter), typeof(IdentityConverter), typeof(NameConverter)],
    GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(Beat))]
[JsonSerializable(typeof(BeatReply))]
internal sealed partial class BeatContext : JsonSerializerContext;
