using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.ExceptionServices;
using Ha.Leadership;

namespace Ha;

/// <summary>
/// The fence in an application's own database, for ADO.NET and Dapper: a table of one row that holds the highest epoch that may
/// write. A transaction that looks at it before its commit cannot commit under an older epoch than one that has written since,
/// whatever became of clocks, pauses and networks (Kleppmann, "How to do distributed locking", 2016). Immutable and thread-safe.
/// </summary>
/// <remarks>
/// The table has the columns <c>id</c> (always 1) and <c>epoch</c> (64 bits). On PostgreSQL writers share the row's lock and only
/// <c>RaiseAsync</c> waits for them; elsewhere the row is updated, so writers come one after the other.
/// </remarks>
public sealed class HaFence
{
    /// <summary>The table's name unless another one is given.</summary>
    public const string DefaultTable = "ha_fence";

    private const string RefusalState = "22P02";
    private const string RefusalText = "ha fence at epoch ";
    private const string NoEpoch = "none";
    private const string IdleInTransaction = "25P03";

    private readonly string _table;
    private readonly string _id;
    private readonly string _epoch;
    private readonly bool _postgres;
    private readonly bool _sqlite;
    private readonly string _idleLimit;

    private HaFence(string table, string id, string epoch, TimeSpan? idleLimit = null, bool postgres = false, bool sqlite = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(table);
        ArgumentException.ThrowIfNullOrEmpty(id);
        ArgumentException.ThrowIfNullOrEmpty(epoch);
        (_table, _id, _epoch, _postgres, _sqlite) = (table, id, epoch, postgres, sqlite);
        var limit = idleLimit ?? TimeSpan.FromSeconds(2);
        _idleLimit = limit == Timeout.InfiniteTimeSpan ? ""
            : string.Create(CultureInfo.InvariantCulture, $", set_config('idle_in_transaction_session_timeout', '{(long)limit.TotalMilliseconds}', true)");
    }

    /// <summary>For PostgreSQL 12 and later, with any driver that takes several statements in one command (Npgsql).</summary>
    /// <param name="table">The table's name, as it is; case counts.</param>
    /// <param name="schema">Its schema; null: where the session's search path finds it.</param>
    /// <param name="idleLimit">
    /// For how long the server lets a transaction behind the fence stand idle. A leader that is paused inside one holds up its
    /// successor for so long; then the server rolls back (25P03). Default 2 s, 1 ms to 24 days; infinite: as the session is set.
    /// </param>
    /// <exception cref="ArgumentException">A name is empty, or the limit too short or too long.</exception>
    public static HaFence ForPostgres(string table = DefaultTable, string? schema = null, TimeSpan? idleLimit = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(table);
        if (schema is not null)
        {
            ArgumentException.ThrowIfNullOrEmpty(schema);
        }

        if (idleLimit is { } limit && limit != Timeout.InfiniteTimeSpan)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(limit, TimeSpan.FromMilliseconds(1), nameof(idleLimit));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, TimeSpan.FromDays(24), nameof(idleLimit));
        }

        return new HaFence(schema is null ? Quote(table) : $"{Quote(schema)}.{Quote(table)}", "id", "epoch", idleLimit, postgres: true);
    }

    /// <summary>For SQLite. Its transactions must begin as writers (BEGIN IMMEDIATE), as Microsoft.Data.Sqlite begins them by itself.</summary>
    /// <param name="table">The table's name, as it is.</param>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public static HaFence ForSqlite(string table = DefaultTable)
    {
        ArgumentException.ThrowIfNullOrEmpty(table);
        return new HaFence(Quote(table), "id", "epoch", sqlite: true);
    }

    /// <summary>For any other database in which an UPDATE keeps the row locked until the transaction ends.</summary>
    /// <param name="table">The table, written as the database wants it in a statement: quoted, with its schema.</param>
    /// <param name="idColumn">The column of the 1, written so.</param>
    /// <param name="epochColumn">The column of the epoch, written so.</param>
    /// <exception cref="ArgumentException">A name is empty.</exception>
    public static HaFence ForStandardSql(string table, string idColumn = "id", string epochColumn = "epoch") =>
        new(table, idColumn, epochColumn);

    /// <summary>Makes table and row where they are missing; safe when several nodes do so at once. PostgreSQL and SQLite.</summary>
    /// <param name="source">The database.</param>
    /// <param name="cancellationToken">Ends the wait; nothing was made then.</param>
    /// <exception cref="NotSupportedException">It is another database: make the table by a migration.</exception>
    /// <exception cref="DbException">The database failed.</exception>
    public async Task CreateAsync(DbDataSource source, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (!_postgres && !_sqlite)
        {
            throw new NotSupportedException("Only for PostgreSQL and SQLite; elsewhere make the table by a migration.");
        }

        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);

        // CREATE TABLE IF NOT EXISTS of two sessions at once can fail; the number only has to be the same everywhere.
        await using var create = Command(connection, transaction, $"""
            {(_postgres ? $"SELECT pg_advisory_xact_lock(7237002){_idleLimit};" : "")}
            CREATE TABLE IF NOT EXISTS {_table} ({_id} INTEGER PRIMARY KEY CHECK ({_id} = 1), {_epoch} BIGINT NOT NULL);
            INSERT INTO {_table} ({_id}, {_epoch}) VALUES (1, 0) ON CONFLICT DO NOTHING;
            """);
        await create.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>
    /// Closes the fence to all epochs below and says which was the highest so far:
    /// <c>AddHa(o =&gt; o.RaiseFence = (epoch, stop) =&gt; fence.RaiseAsync(source, epoch, stop))</c>.
    /// Waits for the transactions that are behind the fence.
    /// </summary>
    /// <param name="source">The database.</param>
    /// <param name="epoch">Of the new leadership, 0 or more.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The epoch that was stored before.</returns>
    /// <exception cref="InvalidOperationException">The table has no row.</exception>
    /// <exception cref="DbException">The database failed, or has no such table.</exception>
    public async ValueTask<long> RaiseAsync(DbDataSource source, long epoch, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        return await RaiseAsync(connection, epoch, cancellationToken);
    }

    /// <inheritdoc cref="RaiseAsync(DbDataSource, long, CancellationToken)"/>
    /// <param name="connection">Open, without a transaction.</param>
    /// <param name="epoch">Of the new leadership, 0 or more.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask<long> RaiseAsync(DbConnection connection, long epoch, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);

        // The first one locks the row: what is read next cannot change before the commit.
        var limit = _postgres ? $"SELECT 0{_idleLimit}; " : "";
        await using var touch = Command(connection, transaction, $"{limit}UPDATE {_table} SET {_epoch} = {_epoch} WHERE {_id} = 1");
        if (await touch.ExecuteNonQueryAsync(cancellationToken) == 0)
        {
            throw NoRow();
        }

        await using var read = Command(connection, transaction, ReadText);
        var before = Convert.ToInt64(await read.ExecuteScalarAsync(cancellationToken), CultureInfo.InvariantCulture);
        await using var raise = Command(connection, transaction, $"UPDATE {_table} SET {_epoch} = {Text(epoch)} WHERE {_id} = 1 AND {_epoch} < {Text(epoch)}");
        await raise.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return before;
    }

    /// <summary>
    /// Runs a write in a transaction of its own, as the driver begins one (PostgreSQL: read committed), that commits only under the
    /// newest epoch: opens, begins, looks at the fence, writes, looks at transaction and lease, commits.
    /// </summary>
    /// <typeparam name="T">What the write returns.</typeparam>
    /// <param name="source">The database.</param>
    /// <param name="leadership">What the write was admitted under: <see cref="LeaderScope.For"/>.</param>
    /// <param name="write">Gets the transaction; its connection is <see cref="DbTransaction.Connection"/>. Does not commit.</param>
    /// <param name="cancellationToken">Ends everything but the commit.</param>
    /// <exception cref="NotLeaderException">This node does not lead any more; nothing was committed.</exception>
    /// <exception cref="OutcomeUnknownException">The connection broke during the commit.</exception>
    /// <exception cref="InvalidOperationException">The table has no row.</exception>
    /// <exception cref="DbException">
    /// The database failed otherwise, or has ended the transaction over a failure that <paramref name="write"/> caught; nothing was
    /// committed.
    /// </exception>
    public async Task<T> WriteAsync<T>(
        DbDataSource source, IHaFeature leadership, Func<DbTransaction, Task<T>> write, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(leadership);
        ArgumentNullException.ThrowIfNull(write);
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var committing = false;
        try
        {
            await CheckAsync(connection, transaction, leadership, cancellationToken);
            var result = await write(transaction);
            if (!_sqlite)
            {
                // PostgreSQL answers the commit of a transaction that a failed statement has ended with ROLLBACK, and the driver
                // says nothing; a statement is refused.
                await using var probe = Command(connection, transaction, ReadText);
                await probe.ExecuteScalarAsync(cancellationToken);
            }

            // The check above is the proof; this spares the client a doubt.
            leadership.EnsureStillLeader();
            committing = true;
            await transaction.CommitAsync(CancellationToken.None);
            AmbientLeadership.Scope?.NoteCommit();
            return result;
        }
        catch (Exception failure) when (committing || failure is DbException)
        {
            if (Explain(failure, leadership, committing) is { } said && said != failure)
            {
                if (committing && said is OutcomeUnknownException)
                {
                    AmbientLeadership.Scope?.NoteCommit();
                }

                ExceptionDispatchInfo.Throw(said);
            }

            throw;
        }
    }

    /// <summary>
    /// Looks at the fence inside a transaction of yours and keeps the row locked until its end. Once per transaction, anywhere
    /// before the commit; again after a rollback to a savepoint that was set before it.
    /// </summary>
    /// <param name="connection">Open.</param>
    /// <param name="transaction">The transaction; null: the ambient one (<c>TransactionScope</c>).</param>
    /// <param name="leadership">What the write was admitted under.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="NotLeaderException">A later epoch has been here. Roll back.</exception>
    /// <exception cref="InvalidOperationException">The table has no row.</exception>
    /// <exception cref="DbException">The database failed, or has no such table.</exception>
    public async Task CheckAsync(
        DbConnection connection, DbTransaction? transaction, IHaFeature leadership, CancellationToken cancellationToken = default)
    {
        await using var check = CheckCommand(connection, transaction, leadership);
        if (_postgres)
        {
            Judge(await check.ExecuteScalarAsync(cancellationToken), leadership);
        }
        else if (await check.ExecuteNonQueryAsync(cancellationToken) == 0)
        {
            await using var read = Command(connection, transaction, ReadText);
            throw await read.ExecuteScalarAsync(cancellationToken) is null ? NoRow() : FencedOut(leadership);
        }
    }

    /// <inheritdoc cref="CheckAsync"/>
    public void Check(DbConnection connection, DbTransaction? transaction, IHaFeature leadership)
    {
        using var check = CheckCommand(connection, transaction, leadership);
        if (_postgres)
        {
            Judge(check.ExecuteScalar(), leadership);
        }
        else if (check.ExecuteNonQuery() == 0)
        {
            using var read = Command(connection, transaction, ReadText);
            throw read.ExecuteScalar() is null ? NoRow() : FencedOut(leadership);
        }
    }

    /// <summary>
    /// A statement to put at the end of a command of yours, so that the fence costs no round trip of its own. It fails, and the
    /// transaction with it, unless exactly this epoch is stored; <see cref="Explain"/> knows its failure. Null where the database
    /// cannot (all but PostgreSQL): use <see cref="CheckAsync"/>, which also raises a fence that stands lower.
    /// </summary>
    /// <param name="epoch">The epoch that the transaction runs under.</param>
    public string? CheckStatement(long epoch) => _postgres
        ? $"SELECT CASE WHEN stored = {Text(epoch)} THEN 0 ELSE ('{RefusalText}' || coalesce(stored::text, '{NoEpoch}'))::integer END{_idleLimit} "
            + $"FROM (SELECT (SELECT {_epoch} FROM {_table} WHERE {_id} = 1 FOR SHARE) AS stored OFFSET 0) AS fence"
        : null;

    /// <summary>What a failure inside a fenced transaction says about the write; null: nothing, it stays what it is.</summary>
    /// <param name="failure">What the driver threw, possibly wrapped.</param>
    /// <param name="leadership">What the write ran under.</param>
    /// <param name="committing">True: it was thrown by the commit.</param>
    /// <returns>
    /// A <see cref="NotLeaderException"/> when the fence refused, or a leadership that is over by now lost its transaction before
    /// the commit; an <see cref="OutcomeUnknownException"/> when the connection was lost in the commit; an
    /// <see cref="InvalidOperationException"/> when a <see cref="CheckStatement"/> found no row.
    /// </returns>
    public Exception? Explain(Exception failure, IHaFeature leadership, bool committing = false)
    {
        ArgumentNullException.ThrowIfNull(failure);
        ArgumentNullException.ThrowIfNull(leadership);
        if (Find<NotLeaderException>(failure) is { } refused)
        {
            return refused;
        }

        if (Find<OutcomeUnknownException>(failure) is { } unknown)
        {
            return unknown;
        }

        var said = Find<DbException>(failure);
        if (said is { SqlState: RefusalState } && said.Message.Contains(RefusalText, StringComparison.Ordinal))
        {
            return said.Message.Contains(RefusalText + NoEpoch, StringComparison.Ordinal) ? NoRow(failure) : FencedOut(leadership, failure);
        }

        // An answer of the server that is not about the connection says that it has rolled back.
        var rolledBack = !committing || _sqlite || failure is InvalidOperationException
            || (said is { SqlState: { } state } && !state.StartsWith("08", StringComparison.Ordinal) && !state.StartsWith("57P", StringComparison.Ordinal));
        if (!rolledBack)
        {
            return new OutcomeUnknownException("The connection to the database broke during the commit.", failure);
        }

        // The server has ended the transaction of a leader that stood still for too long, or it fell with the connection.
        var ended = said is not null && (said.SqlState is null or IdleInTransaction || !committing && said.IsTransient);
        return ended && !_sqlite && Lost(leadership) is { } lost ? Refusal(failure, lost) : null;
    }

    private string ReadText => $"SELECT {_epoch} FROM {_table} WHERE {_id} = 1";

    private static T? Find<T>(Exception? failure)
        where T : Exception
    {
        for (; failure is not null; failure = failure.InnerException)
        {
            if (failure is T found)
            {
                return found;
            }
        }

        return null;
    }

    private static NotLeaderException? Lost(IHaFeature leadership)
    {
        try
        {
            leadership.EnsureStillLeader();
            return null;
        }
        catch (NotLeaderException lost)
        {
            return lost;
        }
    }

    private static NotLeaderException FencedOut(IHaFeature leadership, Exception? failure = null) => Refusal(failure, Lost(leadership));

    /// <summary>Names the leader that <paramref name="lost"/> knows of; null: this node still leads, and the fence was raised by somebody else.</summary>
    private static NotLeaderException Refusal(Exception? failure, NotLeaderException? lost) =>
        new(failure) { LeaderUrl = lost?.LeaderUrl, Epoch = lost?.Epoch };

    private static string Text(long epoch) => epoch.ToString(CultureInfo.InvariantCulture);

    private static string Quote(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    [SuppressMessage("Security", "CA2100:Review SQL queries for security vulnerabilities", Justification = "Numbers, and names that the application chose.")]
    private static DbCommand Command(DbConnection connection, DbTransaction? transaction, string text)
    {
        var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = text;
        return command;
    }

    private DbCommand CheckCommand(DbConnection connection, DbTransaction? transaction, IHaFeature leadership)
    {
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentNullException.ThrowIfNull(leadership);
        var epoch = Text(leadership.Epoch);
        return Command(connection, transaction, _postgres
            ? $"UPDATE {_table} SET {_epoch} = {epoch} WHERE {_id} = 1 AND {_epoch} < {epoch}; "
                + $"SELECT {_epoch}{_idleLimit} FROM {_table} WHERE {_id} = 1 FOR SHARE"
            : $"UPDATE {_table} SET {_epoch} = {epoch} WHERE {_id} = 1 AND {_epoch} <= {epoch}");
    }

    /// <param name="stored">The epoch that the row holds, locked; null: there is no row.</param>
    /// <param name="leadership">What the write runs under.</param>
    private void Judge(object? stored, IHaFeature leadership)
    {
        if (stored is null)
        {
            throw NoRow();
        }

        if (Convert.ToInt64(stored, CultureInfo.InvariantCulture) != leadership.Epoch)
        {
            throw FencedOut(leadership);
        }
    }

    private InvalidOperationException NoRow(Exception? failure = null) =>
        new($"The fence {_table} has no row: INSERT INTO {_table} ({_id}, {_epoch}) VALUES (1, 0)", failure);
}
