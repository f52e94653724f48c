using System.Data.Common;
using Dapper;

namespace MinimalApiApp.Notes;

/// <summary>A transaction behind the fence. SQL may name <c>@Node</c> and <c>@Epoch</c> beside its own parameters.</summary>
internal sealed class FencedTransaction(DbTransaction transaction, string node, long epoch)
{
    public string Node => node;

    public long Epoch => epoch;

    public Task<int> ExecuteAsync(string sql, object? parameters = null) =>
        transaction.Connection!.ExecuteAsync(sql, With(parameters), transaction);

    public Task<T?> FirstOrDefaultAsync<T>(string sql, object? parameters = null) =>
        transaction.Connection!.QueryFirstOrDefaultAsync<T>(sql, With(parameters), transaction);

    private DynamicParameters With(object? parameters)
    {
        var all = new DynamicParameters(parameters);
        all.Add(nameof(Node), Node);
        all.Add(nameof(Epoch), Epoch);
        return all;
    }
}
