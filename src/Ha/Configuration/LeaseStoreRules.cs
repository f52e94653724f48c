namespace Ha.Configuration;

/// <summary>Reads which store elects. What follows the scheme may be a secret and is never shown.</summary>
internal static class LeaseStoreRules
{
    private static readonly Dictionary<string, (string Package, string Line)> _packages = new(StringComparer.OrdinalIgnoreCase)
    {
        ["postgres"] = ("Ha.PostgreSql", "UsePostgreSql"),
        ["redis"] = ("Ha.Redis", "UseRedis"),
        ["kubernetes"] = ("Ha.Kubernetes", "UseKubernetes"),
    };

    /// <returns>Null: no store elects, or it cannot be made.</returns>
    public static Func<IServiceProvider, ILeaseStore>? Parse(HaOptions options, Members members, List<string> problems)
    {
        if (options.LeaseStore is not { } written)
        {
            return null;
        }

        var parts = written.Split(':', 2, StringSplitOptions.TrimEntries);
        CheckPlace(options, members, problems);
        var create = Find(options, parts[0], complete: parts.Length == 2, problems);
        var (cluster, lease) = (options.ClusterId, TimingRules.LeaseTimeout(options));
        if (create is null || string.IsNullOrEmpty(cluster) || lease <= TimeSpan.Zero || members.StaticLeader is not null)
        {
            return null;
        }

        return services => create(new LeaseStoreContext(parts[1], cluster, lease, services));
    }

    private static void CheckPlace(HaOptions options, Members members, List<string> problems)
    {
        if (options.Peers.Count > 0)
        {
            problems.Add($"{HaKeys.LeaseStore} and {HaKeys.Peers} are both set, and only one of them can elect; remove one, on every node the same.");
        }

        if (members.LocalTarget is null)
        {
            problems.Add(
                $"{HaKeys.LeaseStore} is set but {HaKeys.LocalTarget} is not; " +
                $"set {HaKeys.LocalTarget} to this node's own URL as the other nodes reach it, such as http://node-1:8080.");
        }

        if (options.Quorum != QuorumMode.Auto)
        {
            problems.Add($"{HaKeys.Quorum} ({options.Quorum.ToString().ToLowerInvariant()}) is about votes of members, but {HaKeys.LeaseStore} elects; remove one of them.");
        }
    }

    private static Func<LeaseStoreContext, ILeaseStore>? Find(HaOptions options, string scheme, bool complete, List<string> problems)
    {
        // A value without its scheme may hold a password before its first colon.
        if (!complete || scheme.Length is 0 or > 32 || !scheme.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '+' or '.'))
        {
            problems.Add(
                $"{HaKeys.LeaseStore} must begin with the kind of store and a colon; write it like postgres:Host=db;Database=shop, redis:cache:6379 or kubernetes:shop.");
            return null;
        }

        if (options.LeaseStores.TryGetValue(scheme, out var create))
        {
            return create;
        }

        var others = options.LeaseStores.Count == 0 ? "" : $", or use one that is there: {string.Join(", ", options.LeaseStores.Keys.Order(StringComparer.Ordinal))}";
        problems.Add(
            _packages.TryGetValue(scheme, out var missing)
                ? $"{HaKeys.LeaseStore} ({scheme}:…) needs AddHa(o => o.{missing.Line}()) in the program, " +
                  $"from the package {missing.Package} (dotnet add package {missing.Package}){others}."
                : $"{HaKeys.LeaseStore} ({scheme}:…) names a kind of store that nobody has added; add it with AddHa(o => o.LeaseStores[\"{scheme}\"] = …){others}.");
        return null;
    }
}
