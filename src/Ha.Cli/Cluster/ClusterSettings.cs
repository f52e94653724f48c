using System.Security.Cryptography;

namespace Ha.Cli.Cluster;

/// <summary>What <c>ha cluster</c> was asked for, but for the application.</summary>
internal sealed record ClusterSettings
{
    public int Nodes { get; init; } = 3;
    public TimeSpan? Interval { get; init; }
    public TimeSpan? Lease { get; init; }
    public string Mode { get; init; } = "redirect";

    /// <summary>The request that the built-in client repeats; null: none.</summary>
    public LoadRequest? Load { get; init; }

    /// <summary>How often a second it does.</summary>
    public int Rate { get; init; } = 5;

    /// <summary>Stop after this long; null: when told to.</summary>
    public TimeSpan? For { get; init; }

    /// <summary>More variables for every node, made from all nodes' URLs; they win over all others here.</summary>
    public Func<IReadOnlyList<string>, IReadOnlyDictionary<string, string?>>? Environment { get; init; }

    /// <summary>More variables for the node of an id; they win over those too.</summary>
    public Func<string, IReadOnlyDictionary<string, string?>>? NodeEnvironment { get; init; }

    /// <summary>How many of the nodes are started at first; null: all.</summary>
    public int? Started { get; init; }

    public TimeSpan EffectiveInterval => Interval ?? TimeSpan.FromMilliseconds(500);

    public TimeSpan EffectiveLease => Lease ?? 3 * EffectiveInterval;

    public static string NewSecret() => RandomNumberGenerator.GetHexString(48, lowercase: true);
}
