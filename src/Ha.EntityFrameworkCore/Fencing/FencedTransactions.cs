using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Ha.EntityFrameworkCore.Fencing;

/// <summary>Shows a context's transactions to its fence.</summary>
internal sealed class FencedTransactions(ContextFence fence) : DbTransactionInterceptor
{
    public override DbTransaction TransactionStarted(DbConnection connection, TransactionEndEventData eventData, DbTransaction result) => Begun(result, endsUnseen: false);

    public override ValueTask<DbTransaction> TransactionStartedAsync(
        DbConnection connection, TransactionEndEventData eventData, DbTransaction result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Begun(result, endsUnseen: false));

    /// <summary>One that began elsewhere is looked at with each write: it may be a new one in an old object.</summary>
    public override DbTransaction TransactionUsed(DbConnection connection, TransactionEventData eventData, DbTransaction result) => Begun(result, endsUnseen: true);

    public override ValueTask<DbTransaction> TransactionUsedAsync(
        DbConnection connection, TransactionEventData eventData, DbTransaction result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Begun(result, endsUnseen: true));

    public override InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result)
    {
        fence.BeforeCommitAsync(transaction, eventData, async: false, CancellationToken.None).GetAwaiter().GetResult();
        return result;
    }

    public override async ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        await fence.BeforeCommitAsync(transaction, eventData, async: true, cancellationToken);
        return result;
    }

    public override void TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData) => fence.AfterCommit(transaction, eventData);

    public override Task TransactionCommittedAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        fence.AfterCommit(transaction, eventData);
        return Task.CompletedTask;
    }

    public override void TransactionRolledBack(DbTransaction transaction, TransactionEndEventData eventData) => FencedWork.End(transaction);

    public override Task TransactionRolledBackAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        FencedWork.End(transaction);
        return Task.CompletedTask;
    }

    /// <summary>What was locked after the savepoint is free again, the fence's row perhaps with it.</summary>
    public override void RolledBackToSavepoint(DbTransaction transaction, TransactionEventData eventData) => FencedWork.Of(transaction).SetUnchecked();

    public override Task RolledBackToSavepointAsync(DbTransaction transaction, TransactionEventData eventData, CancellationToken cancellationToken = default)
    {
        FencedWork.Of(transaction).SetUnchecked();
        return Task.CompletedTask;
    }

    public override void TransactionFailed(DbTransaction transaction, TransactionErrorEventData eventData) => fence.TransactionFailed(transaction, eventData);

    public override Task TransactionFailedAsync(
        DbTransaction transaction, TransactionErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        fence.TransactionFailed(transaction, eventData);
        return Task.CompletedTask;
    }

    private static DbTransaction Begun(DbTransaction transaction, bool endsUnseen)
    {
        FencedWork.Begin(transaction, endsUnseen);
        return transaction;
    }
}
