using System.Data;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using Ha.Leadership;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace Ha.EntityFrameworkCore.Fencing;

/// <summary>
/// Keeps one context behind the fence. A transaction is checked once, with its first write or at the latest before its commit; the
/// check locks the fence's row until the transaction ends. As little thread-safe as the context.
/// </summary>
internal sealed class ContextFence(FenceBook book)
{
    private IHaFeature? _leadership;
    private Exception? _refusal;
    private DbCommand? _alone;
    private AutoTransactionBehavior _own;
    private AutoTransactionBehavior? _set;

    /// <summary>The one transaction that the context may work in (<c>IDbContextTransaction.TransactionId</c>); null: any, or none.</summary>
    public Guid? Only { get; set; }

    /// <summary>Before a command that EF reads the results of by itself. Changes its text, or runs the check before it.</summary>
    public async Task BeforeReaderAsync(DbCommand command, CommandEventData data, bool async, CancellationToken cancellationToken)
    {
        _alone = null;
        if (await PrepareAsync(command, data, async, cancellationToken) is not { } leadership)
        {
            return;
        }

        var fence = book.FenceOf(data.Context!);
        if (!fence.IsPostgres)
        {
            throw Refuse(new InvalidOperationException(
                $"SaveChanges of {data.Context!.GetType().Name} runs without a transaction, which cannot be fenced: something has changed " +
                "AutoTransactionBehavior during the call, or the database takes no part in the TransactionScope."));
        }

        // The server makes one transaction of the two statements.
        fence.AppendTo(command, leadership.Epoch);
        LookAtLease(leadership);
        cancellationToken.ThrowIfCancellationRequested();
        _alone = command;
    }

    /// <summary>
    /// Before EF lets go of the results. Those of a save that stands alone are read to the end: the last word is the commit's, and
    /// what goes wrong in it must not look like a failure that an execution strategy repeats.
    /// </summary>
    public async Task BeforeCloseAsync(DbCommand command, DbDataReader reader, DbContext? context, bool async)
    {
        if (command != _alone || context is null)
        {
            return;
        }

        _alone = null;
        ThrowIfBroken(command);
        try
        {
            while (async ? await reader.NextResultAsync(CancellationToken.None) : reader.NextResult())
            {
            }

            AmbientLeadership.Scope?.NoteCommit();
        }
        catch (Exception failure)
        {
            ThrowIfBroken(command, failure);
            Explain(failure, _leadership, context, committing: true);
            throw;
        }
    }

    /// <summary>Before a command without results. One that stands alone gets a transaction, and has run when this returns.</summary>
    public async Task<InterceptionResult<int>> BeforeNonQueryAsync(
        DbCommand command, CommandEventData data, InterceptionResult<int> result, bool async, CancellationToken cancellationToken) =>
        await PrepareAsync(command, data, async, cancellationToken) is { } leadership
            ? InterceptionResult<int>.SuppressWithResult(await RunAloneAsync(command, data, leadership, async, cancellationToken))
            : result;

    /// <summary>Right before a commit: the check for a transaction that EF saw no write of, and a last look at the lease.</summary>
    public async Task BeforeCommitAsync(DbTransaction transaction, TransactionEventData data, bool async, CancellationToken cancellationToken)
    {
        var work = FencedWork.Of(transaction);
        if (!HaFenceExemption.IsInForce && data.Context is { } context)
        {
            await CheckBeforeCommitAsync(work, context, transaction, async, cancellationToken);
        }

        // Whatever fails from here on is the commit.
        work.Commits = true;
    }

    /// <summary>What is known of the transaction stays: another interceptor may still fail, which EF takes for the commit's failure.</summary>
    public void AfterCommit(DbTransaction transaction, TransactionEventData data)
    {
        var work = FencedWork.Of(transaction);
        if (work.Leadership is not null)
        {
            AmbientLeadership.Scope?.NoteCommit();
        }

        if (work.NotesEpoch && data.Context is { } context)
        {
            book.Note(book.FenceOf(context), context.Database.GetDbConnection(), work.Leadership!.Epoch);
        }
    }

    /// <summary>A commit, a rollback or a savepoint failed.</summary>
    public void TransactionFailed(DbTransaction transaction, TransactionErrorEventData data)
    {
        var work = FencedWork.Of(transaction);
        var committing = work.Commits;
        work.SetUnchecked();
        work.Commits = false;
        Explain(data.Exception, work.Leadership, data.Context, committing);
    }

    /// <summary>A command failed, one that only reads included: it may have met the end of a transaction that stood still too long.</summary>
    public void CommandFailed(DbCommand command, CommandErrorEventData data)
    {
        if (command == _alone)
        {
            _alone = null;
            ThrowIfBroken(command, data.Exception);
            Explain(data.Exception, _leadership, data.Context, committing: true);
            return;
        }

        if (data.Context is { } context && FindWork(command, context) is { } work)
        {
            work.SetUnchecked();
            Explain(data.Exception, work.Leadership, context, committing: false);
        }
    }

    public void CommandCanceled(DbCommand command, DbContext? context)
    {
        if (command == _alone)
        {
            // Else the server has said that it has rolled back.
            _alone = null;
            ThrowIfBroken(command);
        }

        if (context is not null)
        {
            FindWork(command, context)?.SetUnchecked();
        }
    }

    /// <summary>
    /// A single statement would otherwise be saved without a transaction, which is as good where the check can travel in the same
    /// command. Not undone afterwards: one save may run inside another.
    /// </summary>
    public void BeginSaving(DbContext context)
    {
        (_leadership, _refusal) = (null, null);
        if (HaFenceExemption.IsInForce)
        {
            return;
        }

        var database = context.Database;
        if (database.AutoTransactionBehavior != _set)
        {
            _own = database.AutoTransactionBehavior;
        }

        _set = _own == AutoTransactionBehavior.WhenNeeded && MayStandAlone(context) ? AutoTransactionBehavior.WhenNeeded : AutoTransactionBehavior.Always;
        database.AutoTransactionBehavior = _set.Value;
    }

    /// <summary>Throws what the failure of a save means, where it means something about the leadership.</summary>
    public void ExplainSaving(Exception? failure, DbContext context)
    {
        if (_refusal is { } refusal && (failure is null || Holds(failure, refusal)))
        {
            ExceptionDispatchInfo.Throw(refusal);
        }

        if (failure is not null)
        {
            Explain(failure, _leadership, context, committing: false);
        }
    }

    private static void ThrowIfBroken(DbCommand command, Exception? failure = null)
    {
        if (command.Connection is not { State: ConnectionState.Open })
        {
            AmbientLeadership.Scope?.NoteCommit();
            throw new OutcomeUnknownException("The connection to the database broke during the save, which commits by itself.", failure);
        }
    }

    private bool MayStandAlone(DbContext context) =>
        context.Database.ProviderName == Fence.Npgsql && LeaderScope.Current is { } leadership
        && book.IsStored(book.FenceOf(context), context.Database.GetDbConnection(), leadership.Epoch);

    private void LookAtLease(IHaFeature leadership)
    {
        try
        {
            leadership.EnsureStillLeader();
        }
        catch (NotLeaderException refusal)
        {
            throw Refuse(refusal);
        }
    }

    private static bool Holds(Exception? failure, Exception sought)
    {
        for (; failure is not null; failure = failure.InnerException)
        {
            if (failure == sought)
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsWrite(CommandSource source) =>
        source is CommandSource.SaveChanges or CommandSource.ExecuteUpdate or CommandSource.ExecuteDelete or CommandSource.ExecuteSqlRaw;

    private static FencedWork? FindWork(DbCommand command, DbContext context)
    {
        if (command.Transaction is { } transaction)
        {
            return FencedWork.Of(transaction);
        }

        // SQLite takes no part in these, nor does a connection that was told not to (Enlist=false): the provider knows.
        if (context.Database.ProviderName == Fence.Sqlite || !context.Database.IsRelational()
            || context.GetService<IRelationalConnection>() is not ITransactionEnlistmentManager enlistments)
        {
            return null;
        }

        return (enlistments.EnlistedTransaction ?? enlistments.CurrentAmbientTransaction) is { } ambient
            ? FencedWork.Of(command.Connection!, ambient)
            : null;
    }

    /// <summary>What was once checked is checked again after a savepoint took the lock away, also where the scope has ended since.</summary>
    private async Task CheckBeforeCommitAsync(
        FencedWork work, DbContext context, DbTransaction transaction, bool async, CancellationToken cancellationToken)
    {
        if (!work.IsBehindFence && !work.Migrates && (LeaderScope.Current ?? work.Leadership) is { } leadership)
        {
            var fence = book.FenceOf(context);
            if (fence.IsPostgres && await IsReadOnlyAsync(transaction, async, cancellationToken))
            {
                return;
            }

            await fence.CheckAsync(transaction.Connection!, transaction, leadership, async, cancellationToken);
            work.SetBehind(fence, leadership, notesEpoch: true);
        }

        if (work.IsBehindFence)
        {
            work.Leadership!.EnsureStillLeader();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>In a transaction that only reads, the server would refuse the check's lock; and there is nothing to protect.</summary>
    private static async Task<bool> IsReadOnlyAsync(DbTransaction transaction, bool async, CancellationToken cancellationToken)
    {
        await using var look = transaction.Connection!.CreateCommand();
        look.Transaction = transaction;
        look.CommandText = "SELECT current_setting('transaction_read_only')";
        return (async ? await look.ExecuteScalarAsync(cancellationToken) : look.ExecuteScalar()) is "on";
    }

    /// <returns>The leadership that the command needs a transaction under; null: it may run as it is.</returns>
    private async Task<IHaFeature?> PrepareAsync(DbCommand command, CommandEventData data, bool async, CancellationToken cancellationToken)
    {
        if (data.Context is not { } context)
        {
            return null;
        }

        if (Only is { } only && context.Database.CurrentTransaction?.TransactionId != only)
        {
            throw Refuse(new InvalidOperationException(
                "The transaction that this request's key, write and answer share has ended before the handler did, so what comes now would be stored without them: " +
                "the connection was lost, the server has ended it, or the handler has. Let the failure out; the client may send the request again."));
        }

        if (data.CommandSource == CommandSource.Migrations && command.Transaction is { } migration)
        {
            FencedWork.Of(migration).Migrates = true;
        }

        if (!IsWrite(data.CommandSource) || HaFenceExemption.IsInForce)
        {
            return null;
        }

        try
        {
            var leadership = _leadership = LeadershipOf(context);
            if (FindWork(command, context) is not { } work)
            {
                return leadership;
            }

            var fence = book.FenceOf(context);
            if (!work.IsBehind(fence, leadership.Epoch))
            {
                await CheckWithAsync(command, data, fence, work, leadership, async, cancellationToken);
            }

            return null;
        }
        catch (Exception refusal) when (refusal is NotLeaderException or InvalidOperationException)
        {
            throw Refuse(refusal);
        }
    }

    private async Task CheckWithAsync(
        DbCommand command, CommandEventData data, Fence fence, FencedWork work, IHaFeature leadership, bool async, CancellationToken cancellationToken)
    {
        var connection = command.Connection!;
        if (CanAppend(command, data, fence, leadership))
        {
            fence.AppendTo(command, leadership.Epoch);
            work.SetBehind(fence, leadership, notesEpoch: false);
        }
        else
        {
            await fence.CheckAsync(connection, command.Transaction, leadership, async, cancellationToken);
            work.SetBehind(fence, leadership, notesEpoch: true);
        }
    }

    /// <summary>Text that EF has made. What an application wrote may be in a form that takes no second statement.</summary>
    private bool CanAppend(DbCommand command, CommandEventData data, Fence fence, IHaFeature leadership) =>
        fence.IsPostgres && data.CommandSource != CommandSource.ExecuteSqlRaw && book.IsStored(fence, command.Connection!, leadership.Epoch);

    /// <exception cref="NotLeaderException">This node does not lead.</exception>
    /// <exception cref="InvalidOperationException">No leadership is in scope, and the options refuse that.</exception>
    private static IHaFeature LeadershipOf(DbContext context)
    {
        if (LeaderScope.Current is { } current)
        {
            return current;
        }

        var extension = FenceBook.ExtensionOf(context)!;
        var leader = extension.Leader;
        if (extension.Outside == OutsideLeadership.Refuse && leader is not StaticLeader { IsLeader: true })
        {
            throw new InvalidOperationException(
                $"{context.GetType().Name} writes outside of an admitted request and of a {nameof(LeaderBackgroundService)}. Enter a leadership " +
                $"({nameof(LeaderScope)}.{nameof(LeaderScope.Enter)}), or let it past the fence ({nameof(HaFenceExemption)}.{nameof(HaFenceExemption.Begin)}).");
        }

        return LeaderScope.For(leader);
    }

    /// <summary>What stands alone commits by itself, so the connection can break in that commit.</summary>
    private async Task<int> RunAloneAsync(
        DbCommand command, CommandEventData data, IHaFeature leadership, bool async, CancellationToken cancellationToken)
    {
        var fence = book.FenceOf(data.Context!);
        var alone = CanAppend(command, data, fence, leadership);
        var committing = false;
        DbTransaction? transaction = null;
        try
        {
            if (alone)
            {
                // The server makes one transaction of the two statements.
                fence.AppendTo(command, leadership.Epoch);
                leadership.EnsureStillLeader();
                cancellationToken.ThrowIfCancellationRequested();
                committing = true;
                var count = await RunAsync(command, async, cancellationToken);
                AmbientLeadership.Scope?.NoteCommit();
                return count;
            }

            var connection = command.Connection!;
            transaction = async ? await connection.BeginTransactionAsync(cancellationToken) : connection.BeginTransaction();
            command.Transaction = transaction;
            await fence.CheckAsync(connection, transaction, leadership, async, cancellationToken);
            var affected = await RunAsync(command, async, cancellationToken);
            leadership.EnsureStillLeader();
            cancellationToken.ThrowIfCancellationRequested();
            committing = true;
            await CommitAsync(transaction, async);
            AmbientLeadership.Scope?.NoteCommit();
            book.Note(fence, connection, leadership.Epoch);
            return affected;
        }
        catch (Exception failure)
        {
            Explain(failure, leadership, data.Context, committing);
            throw;
        }
        finally
        {
            command.Transaction = null;
            if (transaction is not null)
            {
                await EndAsync(transaction, async);
            }
        }
    }

    [SuppressMessage("Performance", "CA1849:Call async methods when in an async method", Justification = "Only where the caller is not.")]
    private static async Task<int> RunAsync(DbCommand command, bool async, CancellationToken cancellationToken) =>
        async ? await command.ExecuteNonQueryAsync(cancellationToken) : command.ExecuteNonQuery();

    [SuppressMessage("Performance", "CA1849:Call async methods when in an async method", Justification = "Only where the caller is not.")]
    private static async Task CommitAsync(DbTransaction transaction, bool async)
    {
        if (async)
        {
            await transaction.CommitAsync(CancellationToken.None);
        }
        else
        {
            transaction.Commit();
        }
    }

    private static ValueTask EndAsync(DbTransaction transaction, bool async)
    {
        if (async)
        {
            return transaction.DisposeAsync();
        }

        transaction.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Throws what a failure means for the write; returns where it stays what it is.</summary>
    private void Explain(Exception failure, IHaFeature? leadership, DbContext? context, bool committing)
    {
        if (leadership is null || context is null || context.Database.ProviderName is null)
        {
            return;
        }

        var fence = book.FenceOf(context);
        if (fence.Sql.Explain(failure, leadership, committing) is not { } said)
        {
            return;
        }

        if (said is OutcomeUnknownException)
        {
            AmbientLeadership.Scope?.NoteCommit();
        }

        if (said is NotLeaderException)
        {
            // Also the answer to an epoch that is no longer stored: a database that was restored.
            book.Forget(fence, context.Database.GetDbConnection());
        }

        if (said != failure)
        {
            ExceptionDispatchInfo.Throw(Refuse(said));
        }
    }

    private Exception Refuse(Exception refusal) => _refusal = refusal;
}
