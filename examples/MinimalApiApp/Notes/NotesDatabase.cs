using System.Data.Common;
using Dapper;
using Ha;

namespace MinimalApiApp.Notes;

/// <summary>The database behind all nodes. Every write goes through <see cref="WriteAsync"/>, which fences it. Thread-safe.</summary>
internal sealed class NotesDatabase(SqlDialect sql) : IDisposable
{
    // The fence row lets one transaction in at a time anyway. Waiting here costs no connection and no thread.
    private readonly SemaphoreSlim _writer = new(1);

    public SqlDialect Sql { get; } = sql;

    /// <summary><c>Host=…</c> is PostgreSQL, anything else SQLite.</summary>
    public static NotesDatabase Open(string connectionString)
    {
        var settings = new DbConnectionStringBuilder { ConnectionString = connectionString };
        return new(settings.ContainsKey("Host") || settings.ContainsKey("Server")
            ? SqlDialect.Postgres(connectionString)
            : SqlDialect.Sqlite(connectionString));
    }

    public async Task<DbConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var connection = Sql.NewConnection();
        try
        {
            await connection.OpenAsync(cancellationToken);
            if (Sql.OnOpen.Length > 0)
            {
                await connection.ExecuteAsync(Sql.OnOpen);
            }

            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs <paramref name="work"/> in one transaction that commits only under the newest epoch the database has seen.</summary>
    /// <exception cref="NotLeaderException">This node does not lead any more; nothing was committed.</exception>
    /// <exception cref="OutcomeUnknownException">The connection broke during the commit.</exception>
    public async Task<T> WriteAsync<T>(WriteTicket ticket, Func<FencedTransaction, Task<T>> work, CancellationToken cancellationToken)
    {
        await _writer.WaitAsync(cancellationToken);
        try
        {
            await using var connection = await OpenAsync(cancellationToken);
            // SQLite: BEGIN IMMEDIATE, so two writers wait for each other here and never deadlock later.
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var fenced = new FencedTransaction(connection, transaction, ticket);

            // Step 1: the fence. It lets this epoch in only if no later one was here, and locks every other out.
            if (await fenced.ExecuteAsync("UPDATE fence SET epoch = @Epoch WHERE epoch <= @Epoch") == 0)
            {
                throw ticket.FencedOut();
            }

            // Step 2: the write itself.
            var result = await work(fenced);

            // Step 3: do not even try when the lease is gone. Step 1 is the proof, this spares the client a doubt.
            ticket.EnsureStillLeader();
            await CommitAsync(transaction);
            return result;
        }
        catch (DbException e) when (!Sql.IsBusy(e) && ticket.Lost)
        {
            // The database ended the transaction of a leader that was paused for too long.
            throw ticket.FencedOut(e);
        }
        finally
        {
            _writer.Release();
        }
    }

    /// <summary>Closes the fence to all epochs below, before the first write, and says which was the highest so far.</summary>
    public async ValueTask<long> RaiseFenceAsync(long epoch, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);

        // Locks the row: what is read next cannot change before the commit.
        await connection.ExecuteAsync("UPDATE fence SET epoch = epoch", transaction: transaction);
        var before = await connection.ExecuteScalarAsync<long>("SELECT epoch FROM fence", transaction: transaction);
        await connection.ExecuteAsync("UPDATE fence SET epoch = @epoch WHERE epoch < @epoch", new { epoch }, transaction);
        await transaction.CommitAsync(cancellationToken);
        return before;
    }

    /// <summary>The highest epoch that was ever let in here.</summary>
    public async ValueTask<long> ReadFenceAsync(CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long>(
            new CommandDefinition("SELECT epoch FROM fence", cancellationToken: cancellationToken));
    }

    public void Dispose() => _writer.Dispose();

    private static async Task CommitAsync(DbTransaction transaction)
    {
        try
        {
            await transaction.CommitAsync(CancellationToken.None);
        }
        catch (Npgsql.NpgsqlException e) when (e is not Npgsql.PostgresException { SqlState: "25P03" })
        {
            // The server may have committed before the connection broke. 25P03 says that it had not.
            throw new OutcomeUnknownException("The connection to the database broke during the commit.", e);
        }
    }
}
