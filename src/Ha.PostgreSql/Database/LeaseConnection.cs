using System.Data.Common;
using System.Globalization;
using Npgsql;

namespace Ha.PostgreSql.Database;

/// <summary>A connection string made fit for a lease. Says what is wrong without showing it: a secret may stand anywhere in it.</summary>
internal static class LeaseConnection
{
    private const string AnySource = "The connection string of the lease store";
    private const string ApplicationName = "ha-lease";
    private const string Writable = "read-write";

    // One for the call that runs, one for the call that was given up and still ends, one to spare.
    private const int Connections = 3;

    /// <summary>What follows <c>postgres:</c>, or <see cref="PostgreSqlLeaseOptions.ListenConnectionString"/>.</summary>
    /// <param name="value">A connection string, or the name of one.</param>
    /// <param name="source">Where it was written, for the message.</param>
    /// <param name="find">Looks a name up; null: there is no configuration.</param>
    /// <returns>The connection string, and where it was written.</returns>
    /// <exception cref="ArgumentException">It is neither.</exception>
    public static (string Value, string Source) Resolve(string value, string source, Func<string, string?>? find)
    {
        if (value.StartsWith("//", StringComparison.Ordinal) || value.Contains("://", StringComparison.Ordinal))
        {
            throw new ArgumentException(
                $"{source} is a URL. Write a connection string of Npgsql: Host=db;Database=shop;Username=shop;Password=...", nameof(value));
        }

        if (value.Contains('=', StringComparison.Ordinal))
        {
            return (value, source);
        }

        var name = value.Trim();
        if (name.Length == 0)
        {
            throw new ArgumentException(
                $"{source} is empty. Write a connection string (Host=db;Database=shop;...) or the name of one of the configuration's " +
                "ConnectionStrings.", nameof(value));
        }

        var shown = name.Length <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.') ? name : "<name>";
        if (find is null)
        {
            throw new ArgumentException(
                $"{source} names the connection string {shown}, but there is no configuration to look it up in.", nameof(value));
        }

        return find(name) is { Length: > 0 } found ? (found, $"ConnectionStrings:{shown} (from {source})") : throw new ArgumentException(
            $"{source} names the connection string {shown}, which the configuration does not have: set ConnectionStrings:{shown} " +
            $"(as a variable: ConnectionStrings__{shown}), or write the connection string itself (Host=db;Database=shop;...).",
            nameof(value));
    }

    /// <summary>For reading and writing: a small pool of its own, which the application cannot exhaust.</summary>
    /// <exception cref="ArgumentException">It cannot be read, or allows a server that takes no writes.</exception>
    public static NpgsqlConnectionStringBuilder ForLease(string connectionString, TimeSpan lease, string source = AnySource)
    {
        var builder = Parse(connectionString, lease, source);
        builder.MaxPoolSize = Connections;
        return builder;
    }

    /// <summary>For LISTEN: a connection that is opened and closed, nothing between.</summary>
    /// <exception cref="ArgumentException">As <see cref="ForLease"/>.</exception>
    public static NpgsqlConnectionStringBuilder ForListening(string connectionString, TimeSpan lease, string source = AnySource)
    {
        var builder = Parse(connectionString, lease, source);
        builder.Pooling = false;
        builder.CommandTimeout = CommandSeconds(lease);
        return builder;
    }

    /// <summary>Server and database as people write them, without any secret.</summary>
    public static string Describe(string connectionString)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString);
        var hosts = (builder.Host ?? "").Split(',', StringSplitOptions.TrimEntries)
            .Select(h => h.Contains(':', StringComparison.Ordinal) ? h : $"{h}:{builder.Port.ToString(CultureInfo.InvariantCulture)}");
        return $"PostgreSQL {string.Join(',', hosts)}/{builder.Database ?? builder.Username}";
    }

    /// <returns>True: several servers, and nothing says which.</returns>
    /// <exception cref="ArgumentException">The string allows a server that takes no writes.</exception>
    public static bool RequireWritable(NpgsqlConnectionStringBuilder settings, string source = AnySource) =>
        settings.TargetSessionAttributes switch
        {
            null => settings.Host is { } hosts && hosts.Contains(',', StringComparison.Ordinal),
            Writable or "primary" => false,
            var wish => throw new ArgumentException(
                $"{source} says Target Session Attributes={wish}, which may lead to a server that takes no writes. " +
                $"Write {Writable}, or primary.",
                nameof(settings)),
        };

    /// <summary>
    /// How long any statement of the store may take, whatever a connection string says: an answer after the lease has no use.
    /// </summary>
    public static int CommandSeconds(TimeSpan lease) => (int)Math.Ceiling(lease.TotalSeconds);

    private static NpgsqlConnectionStringBuilder Parse(string connectionString, TimeSpan lease, string source)
    {
        var builder = Read(connectionString, source);
        if (RequireWritable(builder, source))
        {
            builder.TargetSessionAttributes = Writable;
        }

        SetDefaults(builder, ApplicationName, connectSeconds: (int)Math.Clamp(Math.Ceiling(lease.TotalSeconds), 1, 15));
        return builder;
    }

    /// <summary>
    /// What suits short calls that have no use for a late answer. What somebody has chosen stays, where there is a choice.
    /// </summary>
    public static void SetDefaults(NpgsqlConnectionStringBuilder builder, string applicationName, int connectSeconds)
    {
        var set = ((DbConnectionStringBuilder)builder).Keys.Cast<string>().ToHashSet(StringComparer.OrdinalIgnoreCase);
        Default("Application Name", () => builder.ApplicationName = applicationName);
        Default("Timeout", () => builder.Timeout = connectSeconds);
        Default("TCP Keepalive", () => (builder.TcpKeepAlive, builder.TcpKeepAliveTime, builder.TcpKeepAliveInterval) = (true, 10, 3));
        // The call that was given up has no use for an answer; its connection goes at once.
        Default("Cancellation Timeout", () => builder.CancellationTimeout = -1);
        // Which of several servers is the primary may change in a moment.
        Default("Host Recheck Seconds", () => builder.HostRecheckSeconds = 1);
        // There is no state to reset and nothing is prepared: nothing but the statements travels.
        builder.MinPoolSize = 0;
        builder.NoResetOnClose = true;
        builder.MaxAutoPrepare = 0;
        builder.Enlist = false;
        // A stuck connection would hold up the calls that were put on it after, and cannot listen.
        builder.Multiplexing = false;

        void Default(string key, Action assign)
        {
            if (!set.Contains(key))
            {
                assign();
            }
        }
    }

    /// <exception cref="ArgumentException">
    /// It cannot be read, or names no server. Why is nobody's to know: the words may be a piece of a password that holds a semicolon.
    /// </exception>
    public static NpgsqlConnectionStringBuilder Read(string connectionString, string source)
    {
        var builder = TryRead(connectionString) ?? throw new ArgumentException(
            $"{source} cannot be read: a key is misspelt, a value has the wrong type, or one that holds ; or = is not in quotes " +
            "(Password='a;b').", nameof(connectionString));
        return !string.IsNullOrWhiteSpace(builder.Host) ? builder : throw new ArgumentException(
            $"{source} names no server. Write Host=db;Database=shop;...", nameof(connectionString));
    }

    private static NpgsqlConnectionStringBuilder? TryRead(string connectionString)
    {
        try
        {
            return new NpgsqlConnectionStringBuilder(connectionString);
        }
        catch (Exception e) when (
            e is ArgumentException or FormatException or OverflowException or InvalidCastException or KeyNotFoundException)
        {
            return null;
        }
    }
}
