using System.Data.Common;
using Ha.EntityFrameworkCore.Fencing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.EntityFrameworkCore.Migrating;

/// <summary>
/// On PostgreSQL, one node at a time for all of its migrations. EF Core's own lock there ends with each migration's transaction, and
/// the list of what is pending is made before: of two nodes that start together one runs a migration again that the other has run.
/// Elsewhere EF Core's lock does.
/// </summary>
internal sealed class MigrationTurn<TContext> : IAsyncDisposable
    where TContext : DbContext
{
    /// <summary>The lock's number: the same on all nodes, and not likely anybody else's.</summary>
    private const long Key = 0x68615F6D69677261;

    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(100);

    private readonly AsyncServiceScope _scope;
    private FoundContext<TContext>? _found;

    private MigrationTurn(AsyncServiceScope scope) => _scope = scope;

    /// <summary>Waits for it, in a session of its own.</summary>
    /// <exception cref="DbException">The database failed.</exception>
    public static async Task<MigrationTurn<TContext>> TakeAsync(IServiceScopeFactory scopes, TimeProvider clock, CancellationToken cancellationToken)
    {
        var turn = new MigrationTurn<TContext>(scopes.CreateAsyncScope());
        try
        {
            await turn.TakeAsync(clock, cancellationToken);
            return turn;
        }
        catch
        {
            await turn.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends the session's transaction, and the turn with it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_found is not null)
        {
            await _found.DisposeAsync();
        }

        await _scope.DisposeAsync();
    }

    private async Task TakeAsync(TimeProvider clock, CancellationToken cancellationToken)
    {
        _found = await FoundContext<TContext>.FindAsync(_scope.ServiceProvider, "AddHaMigrations", cancellationToken);
        var database = _found.Context.Database;
        if (database.ProviderName != Fence.Npgsql)
        {
            return;
        }

        // In a transaction, so that a pooler in front which shares sessions keeps it to this one. Who waits does so outside of any:
        // CREATE INDEX CONCURRENTLY in a migration waits for all transactions that hold a snapshot.
        await database.OpenConnectionAsync(cancellationToken);
        var connection = database.GetDbConnection();
        using var timer = new PeriodicTimer(_pause, clock);
        while (!await TryTakeAsync(connection, cancellationToken))
        {
            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }

    private static async Task<bool> TryTakeAsync(DbConnection connection, CancellationToken cancellationToken)
    {
        // Disposed of with the connection.
        var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = $"SELECT pg_try_advisory_xact_lock({Key})";
        if (await command.ExecuteScalarAsync(cancellationToken) is not true)
        {
            await transaction.DisposeAsync();
            return false;
        }

        // It stands idle now; and the last statement's snapshot goes with the next.
        command.CommandText = "SET LOCAL idle_in_transaction_session_timeout = 0";
        await command.ExecuteNonQueryAsync(cancellationToken);
        return true;
    }
}
