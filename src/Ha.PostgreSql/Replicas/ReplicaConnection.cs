using Ha.PostgreSql.Database;
using Npgsql;

namespace Ha.PostgreSql.Replicas;

/// <summary>Connection strings made fit for looks at positions, which are short and come one at a time.</summary>
internal static class ReplicaConnection
{
    /// <summary>Of the connections, where nobody has chosen another, and of their source.</summary>
    public const string Name = "ha-positions";

    // Of several servers one that has vanished must leave time for the next within one call. What the application's string says
    // about it is meant for the application.
    private const int ConnectSeconds = 2;

    // One for the look that runs, one for the look that was given up and still ends.
    private const int Connections = 2;

    /// <summary>Of several servers, and nothing said about which, the one that takes writes. A standby refuses to answer.</summary>
    /// <exception cref="ArgumentException">It cannot be read.</exception>
    public static NpgsqlConnectionStringBuilder Primary(string connectionString, string source = "The primary's connection string")
    {
        var builder = Parse(connectionString, source);
        if (AreSeveral(builder.Host))
        {
            builder.TargetSessionAttributes ??= "read-write";
        }

        return builder;
    }

    /// <exception cref="ArgumentException">It cannot be read, or names several servers.</exception>
    public static NpgsqlConnectionStringBuilder Replica(string connectionString, string source = "The replica's connection string")
    {
        var builder = Parse(connectionString, source);
        if (AreSeveral(builder.Host))
        {
            throw new ArgumentException(
                $"{source} names several servers, and how far one of them is says nothing about another. " +
                "Name the one that this node reads from.",
                nameof(connectionString));
        }

        return builder;
    }

    private static bool AreSeveral(string? hosts) => hosts?.Contains(',', StringComparison.Ordinal) == true;

    private static NpgsqlConnectionStringBuilder Parse(string connectionString, string source)
    {
        var builder = LeaseConnection.Read(connectionString, source);
        LeaseConnection.SetDefaults(builder, Name, ConnectSeconds);
        builder.Timeout = builder.Timeout == 0 ? ConnectSeconds : Math.Min(builder.Timeout, ConnectSeconds);
        builder.MaxPoolSize = Connections;
        return builder;
    }
}
