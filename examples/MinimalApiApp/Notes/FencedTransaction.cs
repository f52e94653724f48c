using System.Data.Common;

namespace MinimalApiApp.Notes;

/// <summary>A transaction behind the fence. SQL may name <c>@node</c> and <c>@epoch</c> beside its own parameters.</summary>
internal sealed class FencedTransaction(DbTransaction transaction, string node, long epoch, CancellationToken cancellationToken)
{
    public string Node => node;

    public long Epoch => epoch;

    public Task<int> ExecuteAsync(string sql, params ReadOnlySpan<(string Name, object? Value)> parameters) =>
        Command(sql, parameters).ExecuteAsync(cancellationToken);

    public async Task<long> InsertAsync(string sql, params (string Name, object? Value)[] parameters) =>
        (await FirstOrDefaultAsync(sql, row => (long?)row.GetInt64(0), parameters))!.Value;

    public async Task<T?> FirstOrDefaultAsync<T>(string sql, Func<DbDataReader, T> read, params (string Name, object? Value)[] parameters) =>
        await Command(sql, parameters).QueryAsync(read, cancellationToken) is [var first, ..] ? first : default;

    private DbCommand Command(string sql, ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        var command = transaction.Connection!.Command(sql, parameters);
        command.Transaction = transaction;
        command.Add("node", Node);
        command.Add("epoch", Epoch);
        return command;
    }
}
