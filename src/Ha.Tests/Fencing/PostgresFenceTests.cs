using System.Transactions;
using Ha.Tests.Support;
using Npgsql;
using IsolationLevel = System.Data.IsolationLevel;

namespace Ha.Tests.Fencing;

/// <summary>The fence among PostgreSQL's locks, snapshots and transactions.</summary>
[Collection(DatabaseTests.Name)]
public sealed class PostgresFenceTests(PostgresServer server)
{
    [TheoryIfPostgres]
    [InlineData(5)]
    [InlineData(0)]
    public async Task Writers_of_one_epoch_do_not_wait_for_each_other(long stored)
    {
        await using var bed = await FenceBed.PostgresAsync(server);
        await bed.RaiseAsync(stored);
        await bed.Fence.WriteAsync(bed.Source, new Permit(stored), async transaction =>
        {
            await bed.AddAsync(new Permit(stored));
            return await FenceBed.InsertAsync(transaction);
        });
        Assert.Equal(2, await bed.RowsAsync());
    }

    [FactIfPostgres]
    public async Task The_first_writers_of_an_epoch_that_nobody_raised_all_get_through()
    {
        await using var bed = await FenceBed.PostgresAsync(server);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => bed.AddAsync(new Permit(5))));
        Assert.Equal((8, 5L), (await bed.RowsAsync(), await bed.StoredAsync()));
    }

    [FactIfPostgres]
    public async Task Who_waits_while_the_fence_is_raised_finds_it_closed()
    {
        await using var bed = await FenceBed.PostgresAsync(server);
        await using var connection = await bed.Source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await FenceBed.ExecuteAsync(connection, transaction, "UPDATE ha_fence SET epoch = 6");
        var writing = bed.AddAsync(new Permit(5));
        var stating = StateAsync(bed, 5);
        await bed.SomebodyWaitsAsync(2);
        await transaction.CommitAsync();

        await Assert.ThrowsAsync<NotLeaderException>(() => writing);
        var said = await Assert.ThrowsAsync<PostgresException>(() => stating);
        Assert.Contains("ha fence at epoch 6", said.Message, StringComparison.Ordinal);
    }

    /// <summary>Where a transaction reads what was there when it began, it reads the old epoch too. The lock does not.</summary>
    [TheoryIfPostgres]
    [InlineData(IsolationLevel.ReadCommitted, false)]
    [InlineData(IsolationLevel.RepeatableRead, false)]
    [InlineData(IsolationLevel.Serializable, false)]
    [InlineData(IsolationLevel.ReadCommitted, true)]
    [InlineData(IsolationLevel.RepeatableRead, true)]
    [InlineData(IsolationLevel.Serializable, true)]
    public async Task No_isolation_slips_past_a_fence_that_was_raised_after_it_began(IsolationLevel isolation, bool asStatement)
    {
        await using var bed = await FenceBed.PostgresAsync(server);
        await bed.RaiseAsync(5);
        await using var connection = await bed.Source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync(isolation);
        await FenceBed.InsertAsync(transaction);
        await bed.RaiseAsync(6);

        var permit = new Permit(5);
        var failure = await Assert.ThrowsAnyAsync<Exception>(() => asStatement
            ? FenceBed.ExecuteAsync(connection, transaction, bed.Fence.CheckStatement(5)!)
            : bed.Fence.CheckAsync(connection, transaction, permit));
        if (isolation is IsolationLevel.ReadCommitted)
        {
            Assert.IsType<NotLeaderException>(bed.Fence.Explain(failure, permit));
        }
        else
        {
            // One to repeat, and the repetition is refused; once the lease is known to be lost nobody need repeat it.
            Assert.Equal(PostgresErrorCodes.SerializationFailure, Assert.IsType<PostgresException>(failure).SqlState);
            Assert.Null(bed.Fence.Explain(failure, permit));
            Assert.IsType<NotLeaderException>(bed.Fence.Explain(failure, permit.LostAfter(0)));
        }

        // PostgreSQL commits nothing of a transaction that has failed, whatever is asked of it.
        await transaction.CommitAsync();
        Assert.Equal(isolation is IsolationLevel.ReadCommitted && !asStatement ? 1 : 0, await bed.RowsAsync());
    }

    [TheoryIfPostgres]
    [InlineData(IsolationLevel.RepeatableRead)]
    [InlineData(IsolationLevel.Serializable)]
    public async Task Raising_waits_for_any_isolation(IsolationLevel isolation)
    {
        await using var bed = await FenceBed.PostgresAsync(server);
        await bed.RaiseAsync(5);
        await using var connection = await bed.Source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync(isolation);
        await bed.Fence.CheckAsync(connection, transaction, new Permit(5));
        var raising = bed.RaiseAsync(6).AsTask();
        await bed.SomebodyWaitsAsync();
        await FenceBed.InsertAsync(transaction);
        await transaction.CommitAsync();

        Assert.Equal(5, await raising);
        Assert.Equal(1, await bed.RowsAsync());
    }

    [FactIfPostgres]
    public async Task An_ambient_transaction_is_behind_the_fence()
    {
        await using var bed = await FenceBed.PostgresAsync(server);
        await bed.RaiseAsync(5);
        Task<long> raising;
        using (var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            await using var connection = await bed.Source.OpenConnectionAsync();
            await bed.Fence.CheckAsync(connection, transaction: null, new Permit(5));
            await FenceBed.ExecuteAsync(connection, null, "INSERT INTO rows VALUES (1)");
            using (new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled))
            {
                raising = bed.RaiseAsync(6).AsTask();
                await bed.SomebodyWaitsAsync();
            }

            scope.Complete();
        }

        Assert.Equal(5, await raising);
        Assert.Equal(1, await bed.RowsAsync());
        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            await using var connection = await bed.Source.OpenConnectionAsync();
            await Assert.ThrowsAsync<NotLeaderException>(() => bed.Fence.CheckAsync(connection, transaction: null, new Permit(5)));
        }
    }

    /// <summary>As the remarks of <see cref="HaFence.CheckAsync"/> say.</summary>
    [FactIfPostgres]
    public async Task A_rollback_to_a_savepoint_before_the_check_undoes_it()
    {
        await using var bed = await FenceBed.PostgresAsync(server);
        await bed.RaiseAsync(5);
        await using var connection = await bed.Source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await transaction.SaveAsync("before");
        await bed.Fence.CheckAsync(connection, transaction, new Permit(5));
        await transaction.SaveAsync("after");
        await transaction.RollbackAsync("after");
        var raising = bed.RaiseAsync(6).AsTask();
        await bed.SomebodyWaitsAsync();

        await transaction.RollbackAsync("before");
        Assert.Equal(5, await raising);
        await Assert.ThrowsAsync<NotLeaderException>(() => bed.Fence.CheckAsync(connection, transaction, new Permit(5)));
    }

    [FactIfPostgres]
    public async Task A_check_at_the_end_of_a_command_lets_exactly_its_epoch_in()
    {
        await using var bed = await FenceBed.PostgresAsync(server);
        await bed.RaiseAsync(5);
        await StateAsync(bed, 5);
        foreach (var epoch in new long[] { 4, 6 })
        {
            var failure = await Assert.ThrowsAsync<PostgresException>(() => StateAsync(bed, epoch));
            Assert.Contains("ha fence at epoch 5", failure.Message, StringComparison.Ordinal);
            var said = Assert.IsType<NotLeaderException>(bed.Fence.Explain(new InvalidOperationException("wrapped", failure), new Permit(epoch)));
            Assert.Null(said.LeaderUrl);
            Assert.Equal("http://elsewhere", ((NotLeaderException)bed.Fence.Explain(failure, new Permit(epoch).LostAfter(0))!).LeaderUrl);
        }

        Assert.Equal((1, 5L), (await bed.RowsAsync(), await bed.StoredAsync()));
        await bed.RunAsync("DELETE FROM ha_fence");
        var noRow = await Assert.ThrowsAsync<PostgresException>(() => StateAsync(bed, 5));
        var remedy = Assert.IsType<InvalidOperationException>(bed.Fence.Explain(noRow, new Permit(5)));
        Assert.Contains("INSERT INTO \"ha_fence\"", remedy.Message, StringComparison.Ordinal);
        Assert.Same(noRow, remedy.InnerException);
        Assert.Equal(1, await bed.RowsAsync());
    }

    [FactIfPostgres]
    public async Task A_check_at_the_end_of_a_command_keeps_the_fence_from_being_raised()
    {
        await using var bed = await FenceBed.PostgresAsync(server);
        await bed.RaiseAsync(5);
        await using var connection = await bed.Source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await FenceBed.ExecuteAsync(connection, transaction, $"INSERT INTO rows VALUES (1); {bed.Fence.CheckStatement(5)}");
        var raising = bed.RaiseAsync(6).AsTask();
        await bed.SomebodyWaitsAsync();
        await transaction.CommitAsync();
        Assert.Equal(5, await raising);
    }

    private static async Task StateAsync(FenceBed bed, long epoch)
    {
        await using var connection = await bed.Source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await FenceBed.ExecuteAsync(connection, transaction, $"INSERT INTO rows VALUES (1); {bed.Fence.CheckStatement(epoch)}");
        await transaction.CommitAsync();
    }
}
