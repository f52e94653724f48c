using System.Data.Common;
using System.Runtime.CompilerServices;
using System.Transactions;
using Ha.Leadership;

namespace Ha.EntityFrameworkCore.Fencing;

/// <summary>
/// What is known of one database transaction, by all contexts that share it. As little thread-safe as the transaction.
/// </summary>
internal sealed class FencedWork
{
    private static readonly ConditionalWeakTable<object, FencedWork> _known = [];

    private Transaction? _ambient;
    private bool _endsUnseen;
    private string? _table;

    /// <summary>What the transaction was last checked under. Stays when the lock is gone, for what a failure then means.</summary>
    public IHaFeature? Leadership { get; private set; }

    /// <summary>The check may have raised the fence, so that exactly this epoch is stored once the transaction has committed.</summary>
    public bool NotesEpoch { get; private set; }

    /// <summary>A migration runs in it.</summary>
    public bool Migrates { get; set; }

    public bool Commits { get; set; }

    public bool IsBehindFence => _table is not null;

    /// <summary>Npgsql uses the object of a transaction again for the next one on its connection.</summary>
    /// <param name="transaction">Has begun.</param>
    /// <param name="endsUnseen">True: it may end, and the next one begin in the same object, without EF.</param>
    public static void Begin(DbTransaction transaction, bool endsUnseen) =>
        _known.AddOrUpdate(transaction, new FencedWork { _endsUnseen = endsUnseen });

    public static void End(DbTransaction transaction) => _known.Remove(transaction);

    public static FencedWork Of(DbTransaction transaction) => _known.GetValue(transaction, static _ => new FencedWork());

    /// <summary>By the connection: <c>Transaction.Current</c> is another object each time.</summary>
    public static FencedWork Of(DbConnection connection, Transaction ambient)
    {
        if (!_known.TryGetValue(connection, out var work) || work._ambient != ambient)
        {
            work = new FencedWork { _ambient = ambient };
            if (AmbientLeadership.Scope is { } scope)
            {
                ambient.TransactionCompleted += (_, end) => NoteEnd(scope, end.Transaction);
            }

            _known.AddOrUpdate(connection, work);
        }

        return work;
    }

    /// <summary>True when what writes next need not look again.</summary>
    public bool IsBehind(Fence fence, long epoch) => !_endsUnseen && _table == fence.Table && Leadership?.Epoch == epoch;

    public void SetBehind(Fence fence, IHaFeature leadership, bool notesEpoch)
    {
        (_table, Leadership) = (fence.Table, leadership);
        NotesEpoch |= notesEpoch;
    }

    /// <summary>The lock on the fence's row may be gone: what writes next must look again.</summary>
    public void SetUnchecked() => (_table, NotesEpoch) = (null, false);

    /// <summary>EF sees the end of its own transactions only.</summary>
    private static void NoteEnd(AdmittedScope scope, Transaction? ended)
    {
        if (ended?.TransactionInformation.Status != TransactionStatus.Aborted)
        {
            scope.NoteCommit();
        }
    }
}
