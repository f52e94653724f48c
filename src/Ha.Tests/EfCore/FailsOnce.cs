using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace Ha.Tests.EfCore;

/// <summary>The first save loses its connection after it has run, before its commit; something happens before it is tried again.</summary>
internal sealed class FailsOnce(Func<Task> between) : DbCommandInterceptor, IDbTransactionInterceptor
{
    private bool _failed;

    public override ValueTask<DbDataReader> ReaderExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default)
    {
        if (eventData.CommandSource == CommandSource.SaveChanges && !_failed)
        {
            _failed = true;
            throw new NpgsqlException("lost", new IOException("lost"));
        }

        return ValueTask.FromResult(result);
    }

    public async ValueTask<InterceptionResult<DbTransaction>> TransactionStartingAsync(
        DbConnection connection, TransactionStartingEventData eventData, InterceptionResult<DbTransaction> result, CancellationToken cancellationToken = default)
    {
        if (_failed)
        {
            await between();
        }

        return result;
    }
}
