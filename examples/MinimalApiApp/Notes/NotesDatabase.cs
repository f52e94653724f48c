using System.Data.Common;
using Ha;

namespace MinimalApiApp.Notes;

/// <summary>The database behind all nodes. Every write goes through <see cref="WriteAsync"/>, which fences it. Thread-safe.</summary>
internal sealed class NotesDatabase(SqlDialect sql, ILeaderProvider leader) : IDisposable
{
    // The writers stand in line anyway. Waiting here costs no connection and no thread.
    private readonly SemaphoreSlim _writer = new(1);

    public SqlDialect Sql { get; } = sql;

    /// <summary>For reads: the replica, unless the request was admitted on the leader.</summary>
    public Task<DbConnection> OpenAsync(CancellationToken cancellationToken) =>
        (LeaderScope.Current is null ? Sql.Replica ?? Sql.Source : Sql.Source).OpenConnectionAsync(cancellationToken).AsTask();

    /// <summary>Runs <paramref name="work"/> in one transaction that commits only under the newest epoch the database has seen.</summary>
    /// <exception cref="NotLeaderException">This node does not lead any more; nothing was committed.</exception>
    /// <exception cref="OutcomeUnknownException">The connection broke during the commit.</exception>
    public async Task<T> WriteAsync<T>(Func<FencedTransaction, Task<T>> work, CancellationToken cancellationToken)
    {
        var leadership = LeaderScope.For(leader);
        await _writer.WaitAsync(cancellationToken);
        try
        {
            return await Sql.Fence.WriteAsync(Sql.Source, leadership, async transaction =>
            {
                var fenced = new FencedTransaction(transaction, leader.Current.NodeId, leadership.Epoch, cancellationToken);
                if (Sql.StandInLine.Length > 0)
                {
                    await fenced.ExecuteAsync(Sql.StandInLine);
                }

                return await work(fenced);
            }, cancellationToken);
        }
        finally
        {
            _writer.Release();
        }
    }

    public void Dispose()
    {
        _writer.Dispose();
        Sql.Source.Dispose();
        Sql.Replica?.Dispose();
    }
}
