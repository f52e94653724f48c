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

    private readonly AsyncServiceScope _scope;
    private FoundContext<TContext>? _found;

    private MigrationTurn(AsyncServiceScope scope) => _scope = scope;

    /// <summary>Waits for it, in a session of its own.</summary>
    /// <exception cref="DbException">The database failed.</exception>
    public static async Task<MigrationTurn<TContext>> TakeAsync(IServiceScopeFactory scopes, CancellationToken cancellationToken)
    {
        var turn = new MigrationTurn<TContext>(scopes.CreateAsyncScope());
        try
        {
            await turn.TakeAsync(cancellationToken);
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

    private async Task TakeAsync(CancellationToken cancellationToken)
    {
        _found = await FoundContext<TContext>.FindAsync(_scope.ServiceProvider, "AddHaMigrations", cancellationToken);
        var database = _found.Context.Database;
        if (database.ProviderName != Fence.Npgsql)
        {
            return;
        }

        // In a transaction, so that a pooler in front which shares sessions keeps it to this one; and one that may stand idle.
        await database.BeginTransactionAsync(cancellationToken);
        database.SetCommandTimeout(0);
        await database.ExecuteSqlRawAsync(
            "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0", cancellationToken);
        await database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock({Key})", cancellationToken);
    }
}
