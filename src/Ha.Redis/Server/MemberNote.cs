using System.Text.Json.Serialization;

namespace Ha.Redis.Server;

/// <summary>What a member says of itself, as it stands in the hash; its id and incarnation are the field's name.</summary>
internal sealed record MemberNote(string Url, string Target, bool Eligible)
{
    public static MemberNote Of(LeaseMember member) => new(member.Url, member.Target, member.Eligible);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(MemberNote))]
internal sealed partial class MemberJson : JsonSerializerContext;
