using Microsoft.Extensions.Configuration;

namespace Ha.Configuration;

/// <summary>Keys that begin like ours: ours, ours with a slip, or somebody else's.</summary>
internal static class KeyNames
{
    /// <summary>All that have a value; an empty one counts as not set.</summary>
    public static IEnumerable<string> SetIn(IConfiguration configuration) =>
        configuration.GetChildren()
            .Where(section => section.Key.StartsWith(HaKeys.Prefix, StringComparison.OrdinalIgnoreCase)
                && (!string.IsNullOrWhiteSpace(section.Value) || section.GetChildren().Any()))
            .Select(section => section.Key);

    /// <summary>One problem for each that is close to a key of ours.</summary>
    public static IEnumerable<string> Mistyped(IEnumerable<string> keys) =>
        from key in keys
        where !IsKnown(key)
        let meant = NearMiss.Find(key, HaKeys.Known)
        where meant is not null
        select $"{key} is not a setting; did you mean {meant}? Rename or remove it.";

    /// <summary>One problem for each that was a key of ours: in silence, what it switched on would be gone.</summary>
    public static IEnumerable<string> Removed(IEnumerable<string> keys) =>
        from key in keys
        where string.Equals(key, "BASE_GRPC_HEALTH", StringComparison.OrdinalIgnoreCase)
        select $"{key} is no setting any more: gRPC health is in the package Ha.Grpc. " +
            "Call builder.Services.AddHaGrpc() and app.MapHaGrpcHealth(), and remove the key.";

    /// <summary>True for a key of ours, and for one that was probably meant to be.</summary>
    public static bool IsMeantForUs(string key) => IsKnown(key) || NearMiss.Find(key, HaKeys.Known) is not null;

    private static bool IsKnown(string key) => HaKeys.Known.Contains(key, StringComparer.OrdinalIgnoreCase);
}
