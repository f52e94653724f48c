using Npgsql;

namespace Ha.PostgreSql.Database;

/// <summary>Errors of the server that people can do something about, in their words.</summary>
internal static class LeaseErrors
{
    private const string Script =
        "PostgreSqlLeaseStore.CreateTableSql() returns the script that makes the table and names the rights; docs/stores/postgresql.md shows it.";

    /// <summary>True when the connections of that time have no future: broken, the server ends, or it is the wrong one.</summary>
    public static bool EndsConnections(NpgsqlException e) =>
        e is not PostgresException { SqlState: var state } || state is PostgresErrorCodes.ReadOnlySqlTransaction ||
        state.StartsWith("57P", StringComparison.Ordinal) || state.StartsWith("08", StringComparison.Ordinal);

    /// <summary>True when the server has undone the statement and only asks for another try.</summary>
    public static bool AsksForAnotherTry(PostgresException e) =>
        e.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected;

    /// <summary>True when the server does not know LISTEN at all.</summary>
    public static bool KnowsNoListen(Exception e) =>
        e is PostgresException { SqlState: PostgresErrorCodes.FeatureNotSupported or PostgresErrorCodes.SyntaxError } or NotSupportedException;

    /// <summary>What to do about it; null: <paramref name="e"/> says enough.</summary>
    public static string? Explain(NpgsqlException e, string store, LeaseTable table, bool mayCreate) =>
        e is not PostgresException { SqlState: var state } ? ExplainHosts(e, store) : state switch
        {
            PostgresErrorCodes.ReadOnlySqlTransaction =>
                $"{store} takes no writes: it is a replica, or read-only. A lease needs the primary: give its host, or all hosts with " +
                "Target Session Attributes=read-write.",
            PostgresErrorCodes.UndefinedTable =>
                $"{store} has no table {table.Name}{(mayCreate ? "" : ", and CreateTable is off")}. {Script}",
            PostgresErrorCodes.InvalidSchemaName =>
                $"{store} has no schema for the table {table.Name}. Create the schema. {Script}",
            PostgresErrorCodes.InsufficientPrivilege =>
                $"{store} denies a right on the table {table.Name}, or the right to create it ({e.MessageText()}). {Script}",
            PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.InvalidColumnReference or PostgresErrorCodes.DatatypeMismatch or
                PostgresErrorCodes.NotNullViolation =>
                $"{store} has a table {table.Name} of another shape ({e.MessageText()}). Choose another name, or drop it. {Script}",
            _ => null,
        };

    // With one server Npgsql names it and the reason; with several it says that none was suitable.
    private static string? ExplainHosts(NpgsqlException e, string store) =>
        store.Contains(',', StringComparison.Ordinal) && e.InnerException is (null or AggregateException)
            ? $"None of the servers {store} is there and takes writes ({e.Message})"
            : null;

    private static string MessageText(this NpgsqlException e) => ((PostgresException)e).MessageText;
}
