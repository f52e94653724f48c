using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Ha.Tests.EfCore;

/// <summary>Does something right before or right after the first commit.</summary>
internal sealed class AtCommit : DbTransactionInterceptor
{
    private int _commits;

    public Func<DbConnection, Task> Before { get; init; } = static _ => Task.CompletedTask;

    public Action After { get; init; } = static () => { };

    public override async ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        if (++_commits == 1)
        {
            await Before(transaction.Connection!);
        }

        return result;
    }

    public override Task TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        if (_commits == 1)
        {
            After();
        }

        return Task.CompletedTask;
    }
}
