using Ha.PostgreSql.Database;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using NpgsqlTypes;

namespace Ha.PostgreSql;

/// <summary>
/// A lease in a table of PostgreSQL. Each call is one statement, one transaction and one round trip; no call needs a
/// session, so a pooler in transaction mode may stand between. Thread-safe.
/// </summary>
/// <remarks>
/// Linearizable on one primary. A failover to a replica that had not received the last writes takes the lease back in time:
/// docs/stores/postgresql.md says what that loses.
/// </remarks>
public sealed class PostgreSqlLeaseStore : ILeaseStore
{
    private const int Tries = 3;
    private static readonly TimeSpan _forgetful = TimeSpan.FromMinutes(1);

    private readonly string _clusterId;
    private readonly int _commandTimeoutSeconds;
    private readonly bool _createTable;
    private readonly LeaseDatabase _database;
    private readonly double _forgetSeconds;
    private readonly ChangeListener? _listener;
    private readonly NpgsqlDataSource? _listeners;
    private readonly ILogger _logger;
    private readonly string _server;
    private readonly LeaseTable _table;

    /// <summary>On a small pool of connections of its own, made from <paramref name="connectionString"/>.</summary>
    /// <remarks>
    /// Timeouts, keepalive and application name are those of the connection string, or fit the lease. Of several hosts only one
    /// that takes writes is used.
    /// </remarks>
    /// <param name="connectionString">Of Npgsql.</param>
    /// <param name="clusterId">Names the lease; several clusters may share one table.</param>
    /// <param name="lease">The lease timeout; more than 0.</param>
    /// <param name="options">Null: the defaults.</param>
    /// <param name="logger">Told when the table is created and when LISTEN is impossible; null: nobody is.</param>
    /// <exception cref="ArgumentException">Something is malformed, or allows a server that takes no writes. Never shows a secret.</exception>
    public PostgreSqlLeaseStore(string connectionString, string clusterId, TimeSpan lease, PostgreSqlLeaseOptions? options, ILogger? logger)
        : this(clusterId, lease, options ??= new PostgreSqlLeaseOptions(), logger, () => OwnDatabase(connectionString, lease))
    {
        _server = LeaseConnection.Describe(connectionString);
        (_listeners, _listener) = Listen(options.ListenConnectionString ?? connectionString, lease);
    }

    /// <summary>On connections of the application's own source, for passwords that change and the like.</summary>
    /// <remarks>
    /// Whoever takes all its connections takes the lease. A call that is given up holds its connection for as long as the source's
    /// cancellation timeout. A source with multiplexing cannot listen.
    /// </remarks>
    /// <param name="dataSource">Stays the caller's. Of several hosts it must choose one that takes writes.</param>
    /// <param name="clusterId">Names the lease; several clusters may share one table.</param>
    /// <param name="lease">The lease timeout; more than 0.</param>
    /// <param name="options">Null: the defaults.</param>
    /// <param name="logger">Told when the table is created and when LISTEN is impossible; null: nobody is.</param>
    /// <exception cref="ArgumentException">Something is malformed, or allows a server that takes no writes. Never shows a secret.</exception>
    public PostgreSqlLeaseStore(NpgsqlDataSource dataSource, string clusterId, TimeSpan lease, PostgreSqlLeaseOptions? options, ILogger? logger)
        : this(clusterId, lease, options ??= new PostgreSqlLeaseOptions(), logger, () => new LeaseDatabase(LeaseDatabase.Writable(dataSource)))
    {
        _server = LeaseConnection.Describe(dataSource.ConnectionString);
        (_listeners, _listener) = options.ListenConnectionString is { } other ? Listen(other, lease)
            : (null, Listener(async token => await LeaseDatabase.Writable(dataSource).OpenConnectionAsync(token)));
    }

    private PostgreSqlLeaseStore(
        string clusterId, TimeSpan lease, PostgreSqlLeaseOptions options, ILogger? logger, Func<LeaseDatabase> database)
    {
        ArgumentException.ThrowIfNullOrEmpty(clusterId);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(lease, TimeSpan.Zero);
        _clusterId = clusterId;
        _commandTimeoutSeconds = LeaseConnection.CommandSeconds(lease);
        _createTable = options.CreateTable;
        _forgetSeconds = Math.Max(_forgetful.TotalSeconds, lease.TotalSeconds * 20);
        _logger = logger ?? NullLogger.Instance;
        _server = "";
        _table = new LeaseTable(options.Schema, options.Table);
        _database = database();
    }

    /// <inheritdoc/>
    public string Description => $"{_server}, table {_table.Name}";

    /// <summary>True once it turned out that changes are seen by polling only.</summary>
    internal bool ListenGivenUp => _listener?.GivenUp ?? true;

    /// <summary>
    /// The script that makes the table, for those whose role may not. Does nothing where it is there already.
    /// </summary>
    /// <param name="options">The names; null: the defaults.</param>
    /// <param name="role">The role that the nodes connect as, which gets its rights; null: the script says which those are.</param>
    /// <returns>Statements for <c>psql</c>.</returns>
    /// <exception cref="ArgumentException">A name is malformed.</exception>
    public static string CreateTableSql(PostgreSqlLeaseOptions? options, string? role)
    {
        options ??= new PostgreSqlLeaseOptions();
        var table = new LeaseTable(options.Schema, options.Table);
        var (comment, name) = role is null ? ("-- ", "nodes") : ("", role);
        var quoted = $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
        return $"""
            {table.Create};
            {comment}GRANT USAGE ON SCHEMA "{options.Schema}" TO {quoted};
            {comment}GRANT SELECT, INSERT, UPDATE, DELETE ON {table.Quoted} TO {quoted};

            """;
    }

    /// <inheritdoc/>
    public async Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(self);
        var rows = await OnTableAsync(_table.Read, command => AddMember(command, self), cancellationToken);
        return rows.Answer(self, null);
    }

    /// <inheritdoc/>
    public async Task<LeaseAnswer> TryWriteAsync(
        LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        ArgumentNullException.ThrowIfNull(self);
        var stamp = Guid.NewGuid();
        var rows = await OnTableAsync(expected is null ? _table.Insert : _table.Replace, command =>
        {
            AddMember(command, self);
            AddRecord(command, record, stamp);
            if (expected is not null)
            {
                Add(command, expected);
            }
        }, cancellationToken);

        // The loser of a race sees the rows as they were before the winner.
        return rows.Won is null && rows.Version == expected ? await ReadAsync(self, cancellationToken) : rows.Answer(self, record);
    }

    /// <inheritdoc/>
    public Task WaitForChangeAsync(CancellationToken cancellationToken) =>
        _listener?.WaitAsync(cancellationToken) ?? Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);

    /// <inheritdoc/>
    public async Task LeaveAsync(LeaseMember self, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(self);
        await OnTableAsync(_table.Leave, command =>
        {
            Add(command, _clusterId);
            Add(command, self.NodeId);
            Add(command, self.Incarnation);
        }, cancellationToken);
    }

    /// <summary>Ends those who wait, and closes its connections.</summary>
    /// <returns>Done when they are closed.</returns>
    public async ValueTask DisposeAsync()
    {
        if (_listener is not null)
        {
            await _listener.DisposeAsync();
        }

        if (_listeners is not null)
        {
            await _listeners.DisposeAsync();
        }

        await _database.DisposeAsync();
    }

    private static LeaseDatabase OwnDatabase(string connectionString, TimeSpan lease)
    {
        ArgumentNullException.ThrowIfNull(connectionString);
        var settings = LeaseConnection.ForLease(connectionString, lease);
        return new LeaseDatabase(() => LeaseDatabase.Source(settings));
    }

    private static void Add<T>(NpgsqlCommand command, T value)
        where T : notnull => command.Parameters.Add(new NpgsqlParameter<T> { TypedValue = value });

    private static void AddText(NpgsqlCommand command, string? value) =>
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Text, Value = (object?)value ?? DBNull.Value });

    private void AddMember(NpgsqlCommand command, LeaseMember self)
    {
        Add(command, _clusterId);
        Add(command, self.NodeId);
        Add(command, self.Incarnation);
        Add(command, self.Url);
        Add(command, self.Target);
        Add(command, self.Eligible);
    }

    private void AddRecord(NpgsqlCommand command, LeaseRecord record, Guid stamp)
    {
        Add(command, _table.ChannelOf(_clusterId));
        Add(command, stamp);
        AddText(command, record.HolderId);
        Add(command, record.Incarnation);
        Add(command, record.Epoch);
        Add(command, record.Duration.Ticks / TimeSpan.TicksPerMicrosecond);
        Add(command, record.Url);
        Add(command, record.Target);
        AddText(command, record.Successor);
        Add(command, _forgetSeconds);
    }

    private (NpgsqlDataSource? Source, ChangeListener? Listener) Listen(string connectionString, TimeSpan lease)
    {
        if (string.IsNullOrWhiteSpace(connectionString))
        {
            return (null, null);
        }

        var source = LeaseDatabase.Source(LeaseConnection.ForListening(connectionString, lease));
        return (source, Listener(async token => await source.OpenConnectionAsync(token)));
    }

    private ChangeListener Listener(Func<CancellationToken, Task<NpgsqlConnection>> open) =>
        new(open, NotifyAsync, _table.ChannelOf(_clusterId), _server, _logger);

    private Task<object?> NotifyAsync(CancellationToken cancellationToken) => _database.RunAsync(async (connection, token) =>
    {
        await using var command = Command("SELECT pg_notify($1, '')::text", connection);
        Add(command, _table.ChannelOf(_clusterId));
        return await command.ExecuteScalarAsync(token);
    }, cancellationToken);

    private NpgsqlCommand Command(string text, NpgsqlConnection connection) => new(text, connection) { CommandTimeout = _commandTimeoutSeconds };

    private async Task<LeaseRows> OnTableAsync(string statement, Action<NpgsqlCommand> fill, CancellationToken cancellationToken)
    {
        try
        {
            try
            {
                return await TryAsync(statement, fill, cancellationToken);
            }
            catch (PostgresException e) when (_createTable && e.SqlState == PostgresErrorCodes.UndefinedTable)
            {
                await CreateTableAsync(cancellationToken);
                return await TryAsync(statement, fill, cancellationToken);
            }
        }
        catch (NpgsqlException e) when (LeaseErrors.Explain(e, _server, _table, _createTable) is { } explained)
        {
            throw new InvalidOperationException(explained, e);
        }
    }

    /// <summary>Where the database's own isolation is stricter than read committed, races end in errors that ask for another try.</summary>
    private async Task<LeaseRows> TryAsync(string statement, Action<NpgsqlCommand> fill, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await _database.RunAsync(async (connection, token) =>
                {
                    await using var command = Command(statement, connection);
                    fill(command);
                    return await LeaseRows.ReadAsync(command, token);
                }, cancellationToken);
            }
            catch (PostgresException e) when (tries < Tries && LeaseErrors.AsksForAnotherTry(e))
            {
            }
        }
    }

    private async Task CreateTableAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _database.RunAsync(async (connection, token) =>
            {
                await using var transaction = await connection.BeginTransactionAsync(token);
                await using var queue = Command("SELECT pg_advisory_xact_lock($1)::text", connection);
                Add(queue, _table.LockKey);
                await queue.ExecuteNonQueryAsync(token);
                await using var create = Command(_table.Create, connection);
                await create.ExecuteNonQueryAsync(token);
                await transaction.CommitAsync(token);
                return true;
            }, cancellationToken);
            _logger.TableCreated(_table.Name, _server);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            // Somebody else may have made it meanwhile, so the statement is what counts.
        }
    }
}
