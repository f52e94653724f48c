using System.Data.Common;
using Ha;
using Microsoft.Data.Sqlite;

namespace Shop;

/// <summary>The orders in a database, written behind the fence.</summary>
public sealed class OrderBook(IConfiguration configuration, ILeaderProvider leader, IStock stock) : IAsyncDisposable
{
    private static readonly HaFence _fence = HaFence.ForSqlite();

    private readonly DbDataSource _source = SqliteFactory.Instance.CreateDataSource(
        configuration.GetConnectionString("Orders") ?? "Data Source=orders.db");

    public ValueTask<long> RaiseFenceAsync(long epoch, CancellationToken stop) => _fence.RaiseAsync(_source, epoch, stop);

    public async Task CreateAsync()
    {
        await _fence.CreateAsync(_source);
        await using var create = _source.CreateCommand("CREATE TABLE IF NOT EXISTS orders (item TEXT NOT NULL, epoch INTEGER NOT NULL)");
        await create.ExecuteNonQueryAsync();
    }

    /// <exception cref="NotLeaderException">This node does not lead any more; nothing was committed.</exception>
    public Task<Order> AddAsync(string item)
    {
        var leadership = LeaderScope.For(leader);
        return _fence.WriteAsync(_source, leadership, async transaction =>
        {
            await using var insert = transaction.Connection!.CreateCommand();
            insert.Transaction = transaction;
            insert.CommandText = "INSERT INTO orders (item, epoch) VALUES ($item, $epoch)";
            Add(insert, "$item", item);
            Add(insert, "$epoch", leadership.Epoch);
            await insert.ExecuteNonQueryAsync();
            await stock.TakeAsync(item);
            return new Order(item, leadership.Epoch);
        });
    }

    public async Task<IReadOnlyList<Order>> AllAsync()
    {
        await using var select = _source.CreateCommand("SELECT item, epoch FROM orders ORDER BY rowid");
        await using var rows = await select.ExecuteReaderAsync();
        var orders = new List<Order>();
        while (await rows.ReadAsync())
        {
            orders.Add(new Order(rows.GetString(0), rows.GetInt64(1)));
        }

        return orders;
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private static void Add(DbCommand command, string name, object value)
    {
        var parameter = command.CreateParameter();
        (parameter.ParameterName, parameter.Value) = (name, value);
        command.Parameters.Add(parameter);
    }
}
