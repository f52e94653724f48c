namespace Ha.Chaos.Nodes;

/// <summary>What elects.</summary>
internal enum StoreKind
{
    /// <summary>The nodes themselves; no store.</summary>
    Peers,

    Postgres,

    /// <summary>PostgreSQL behind pgbouncer in transaction mode.</summary>
    PgBouncer,

    Redis,
}

internal static class StoreKinds
{
    /// <summary>As options and histories call it.</summary>
    public static string Word(this StoreKind kind) => kind.ToString().ToLowerInvariant();

    public static StoreKind Parse(string word) => Enum.Parse<StoreKind>(word, ignoreCase: true);

    /// <summary>Why this machine cannot run it, or null.</summary>
    public static string? WhyNot(this StoreKind kind) => kind switch
    {
        StoreKind.Postgres or StoreKind.PgBouncer when PostgresPrograms.Folder is null => "PostgreSQL is not installed (Debian: apt-get install postgresql)",
        StoreKind.PgBouncer when !Requirements.OnPath("pgbouncer") => "pgbouncer is not installed (Debian: apt-get install pgbouncer)",
        StoreKind.Redis when !Requirements.OnPath("redis-server") => "redis-server is not installed (Debian: apt-get install redis-server)",
        _ => null,
    };

    /// <summary>Starts it; not for <see cref="StoreKind.Peers"/>.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="folder">Gets data and sockets; on a disk of its own where that is to run full.</param>
    /// <param name="place">Where nodes reach it.</param>
    /// <param name="log">Gets what the server says.</param>
    public static async Task<IStoreServer> StartAsync(this StoreKind kind, string folder, Place place, string log) => kind switch
    {
        StoreKind.Redis => await RedisStore.StartAsync(folder, place, log),
        StoreKind.Peers => throw new ArgumentOutOfRangeException(nameof(kind), "peers are no store"),
        _ => await PostgresStore.StartAsync(folder, place, log, pooled: kind == StoreKind.PgBouncer),
    };
}
