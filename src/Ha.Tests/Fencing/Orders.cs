using System.Data;
using System.Data.Common;
using System.Runtime.ExceptionServices;
using Dapper;

namespace Ha.Tests.Fencing;

internal sealed class Orders(HaFence fence, DbDataSource source, ILeaderProvider leader)
{
    /// <summary>In a transaction of the fence's own.</summary>
    public Task<long> AddAsync(string text) =>
        fence.WriteAsync(source, LeaderScope.For(leader), transaction => transaction.Connection!.QuerySingleAsync<long>(
            "INSERT INTO orders (text) VALUES (@text) RETURNING id", new { text }, transaction));

    /// <summary>In a transaction of ours, because it has to be serializable.</summary>
    public async Task AddOnceAsync(string text)
    {
        var leadership = LeaderScope.For(leader);
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.Serializable);
        var committing = false;
        try
        {
            await fence.CheckAsync(connection, transaction, leadership);
            await connection.ExecuteAsync("""
                INSERT INTO orders (text)
                SELECT @text WHERE NOT EXISTS (SELECT FROM orders WHERE text = @text)
                """, new { text }, transaction);
            leadership.EnsureStillLeader();
            committing = true;
            await transaction.CommitAsync(CancellationToken.None);
        }
        catch (Exception failure) when (fence.Explain(failure, leadership, committing) is { } said && said != failure)
        {
            ExceptionDispatchInfo.Throw(said);
        }
    }
}
