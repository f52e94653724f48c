using System.Security.Cryptography;

namespace MinimalApiApp.Cluster;

/// <summary>What <c>-- cluster</c> was asked for.</summary>
internal sealed record ClusterSettings
{
    public int Nodes { get; init; } = 3;
    public TimeSpan? Interval { get; init; }
    public TimeSpan? Lease { get; init; }
    public string Mode { get; init; } = "redirect";

    /// <summary>A connection string; null: a SQLite file.</summary>
    public string? Database { get; init; }

    /// <summary>The SQLite file; null: one in a directory that goes away at the end.</summary>
    public string? Data { get; init; }

    /// <summary>Writes a second of the built-in client; 0: none.</summary>
    public int Load { get; init; } = 5;

    /// <summary>Stop after this long; null: when told to.</summary>
    public TimeSpan? For { get; init; }

    /// <summary>More settings for every node, made from all nodes' URLs; they win over all others here.</summary>
    public Func<IReadOnlyList<string>, IReadOnlyDictionary<string, string?>>? Environment { get; init; }

    public TimeSpan EffectiveInterval => Interval ?? TimeSpan.FromMilliseconds(500);

    public TimeSpan EffectiveLease => Lease ?? 3 * EffectiveInterval;

    public static string NewSecret() => RandomNumberGenerator.GetHexString(48, lowercase: true);
}
