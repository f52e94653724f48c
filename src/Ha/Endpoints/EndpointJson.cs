using System.Text.Json.Serialization;

namespace Ha.Endpoints;

/// <param name="LeaderUrl">As clients reach it; empty: no leader.</param>
/// <param name="NodeId">The leader's id; empty: no leader.</param>
/// <param name="Epoch">The leader's epoch; 0: no leader.</param>
/// <param name="Term">The same number under the name that other tools read.</param>
/// <param name="LeaseExpires">Wall time by this node's clock; null: no leader, or one without an end.</param>
/// <param name="LeaseRemainingMs">Milliseconds; 0: no leader, null: a static leader, whose lease has no end.</param>
/// <param name="IsSelf">The leader is the node that was asked.</param>
/// <param name="Quorum"><c>majority</c>, <c>off</c> or <c>static</c>.</param>
/// <param name="WhyNobodyLeads">As <see cref="LeadershipSnapshot.WhyNobodyLeads"/>; null: not in the answer.</param>
internal sealed record LeaderAnswer(
    string LeaderUrl,
    string NodeId,
    long Epoch,
    long Term,
    string? LeaseExpires,
    long? LeaseRemainingMs,
    bool IsSelf,
    string Quorum,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? WhyNobodyLeads = null);

internal sealed record PeerAnswer(
    string NodeId,
    string Target,
    bool Up,
    int Ordinal,
    string? LastSeen,
    bool IsLeader,
    bool IsSelf,
    string Role,
    string? ConfigMismatch,
    bool Paused,
    bool Unhealthy);

/// <summary>A misspelt member is an error: leadership must not go to just anybody instead.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record StepDownRequest(string? To = null);

internal sealed record StepDownAnswer(string Successor);

/// <param name="Paused">How this node is from now on.</param>
/// <param name="Successor">Who is to lead next or leads now; empty: nobody is known to.</param>
internal sealed record PauseAnswer(bool Paused, string Successor);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(LeaderAnswer))]
[JsonSerializable(typeof(PeerAnswer[]))]
[JsonSerializable(typeof(StepDownRequest))]
[JsonSerializable(typeof(StepDownAnswer))]
[JsonSerializable(typeof(PauseAnswer))]
internal sealed partial class EndpointJson : JsonSerializerContext;
