using System.Data.Common;
using Ha.Tests.OnTheWire;
using Ha.Tests.Support;
using Npgsql;

namespace Ha.Tests.Fencing;

/// <summary>What a failure says about the write: not executed, unknown, or nothing but itself.</summary>
[Collection(DatabaseTests.Name)]
public sealed class FenceFailureTests(PostgresServer server)
{
    private static readonly HaFence _impatient = HaFence.ForPostgres(idleLimit: TimeSpan.FromMilliseconds(50));

    /// <summary>The commit is what meets the end of the transaction.</summary>
    [TheoryIfPostgres]
    [InlineData(1, true)]
    [InlineData(int.MaxValue, false)]
    public async Task A_writer_that_stands_still_loses_its_transaction_before_the_commit(int looks, bool lost)
    {
        await using var bed = await FenceBed.PostgresAsync(server, _impatient);
        await IsNotExecutedAsync(
            bed, looks, lost, "25P03", FenceBed.InsertAsync, transaction => bed.EndedByServerAsync(transaction.Connection!).GetAwaiter().GetResult());
    }

    [TheoryIfPostgres]
    [InlineData(0, true)]
    [InlineData(int.MaxValue, false)]
    public async Task A_writer_that_stands_still_loses_its_transaction_before_the_next_statement(int looks, bool lost)
    {
        await using var bed = await FenceBed.PostgresAsync(server, _impatient);
        await IsNotExecutedAsync(bed, looks, lost, "25P03", async transaction =>
        {
            await bed.EndedByServerAsync(transaction.Connection!);
            await FenceBed.InsertAsync(transaction);
        });
    }

    [TheoryIfPostgres]
    [InlineData(0, true)]
    [InlineData(int.MaxValue, false)]
    public async Task A_session_that_is_ended_before_the_commit_has_not_executed(int looks, bool lost)
    {
        await using var bed = await FenceBed.PostgresAsync(server);
        await IsNotExecutedAsync(bed, looks, lost, "57P01", async transaction =>
        {
            await bed.KillAsync(transaction.Connection!);
            await FenceBed.InsertAsync(transaction);
        });
    }

    [FactIfPostgres]
    public async Task A_session_that_is_ended_in_the_commit_has_an_unknown_outcome()
    {
        await using var bed = await FenceBed.PostgresAsync(server);
        DbConnection? connection = null;
        var permit = new Permit(5) { Looked = () => bed.KillAsync(connection!).GetAwaiter().GetResult() };
        var failure = await Assert.ThrowsAsync<OutcomeUnknownException>(() => bed.Fence.WriteAsync(bed.Source, permit, transaction =>
        {
            connection = transaction.Connection;
            return FenceBed.InsertAsync(transaction);
        }));
        Assert.Equal("57P01", Assert.IsType<PostgresException>(failure.InnerException).SqlState);
    }

    /// <summary>Seen from here both are the same; the server has committed one of them.</summary>
    [TheoryIfPostgres]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public async Task A_connection_that_breaks_in_the_commit_leaves_an_unknown_outcome(bool answer, int rows)
    {
        ArmedFlow up = new(), down = new();
        await using var relay = new Relay(server.Port, _ => (up, down));
        await using var bed = await FenceBed.PostgresAsync(server, settings: "Maximum Pool Size=1;", port: relay.Port);
        var permit = new Permit(5) { Looked = () => (answer ? down : up).CutAfter(1, Cut.Reset) };
        await Assert.ThrowsAsync<OutcomeUnknownException>(() => bed.AddAsync(permit));
        Assert.Equal(rows, await bed.RowsAsync());
    }

    [TheoryIfPostgres]
    [InlineData(0, true)]
    [InlineData(int.MaxValue, false)]
    public async Task A_connection_that_breaks_before_the_commit_has_not_executed(int looks, bool lost)
    {
        ArmedFlow up = new(), down = new();
        await using var relay = new Relay(server.Port, _ => (up, down));
        await using var bed = await FenceBed.PostgresAsync(server, settings: "Maximum Pool Size=1;", port: relay.Port);
        await IsNotExecutedAsync(bed, looks, lost, state: null, async transaction =>
        {
            down.CutAfter(1, Cut.Reset);
            await FenceBed.InsertAsync(transaction);
        });
    }

    /// <summary>PostgreSQL answers the commit of such a transaction with ROLLBACK, of which the driver says nothing.</summary>
    [FactIfPostgres]
    public async Task A_statement_whose_failure_the_write_caught_is_not_confirmed()
    {
        await using var bed = await FenceBed.PostgresAsync(server);
        await bed.RunAsync("CREATE UNIQUE INDEX once ON rows (n)");
        var failure = await Assert.ThrowsAsync<PostgresException>(() => bed.Fence.WriteAsync(bed.Source, new Permit(5), async transaction =>
        {
            await FenceBed.InsertAsync(transaction);
            return (await Assert.ThrowsAsync<PostgresException>(() => FenceBed.InsertAsync(transaction))).SqlState;
        }));

        Assert.Equal(PostgresErrorCodes.InFailedSqlTransaction, failure.SqlState);
        Assert.Equal((0, 0L), (await bed.RowsAsync(), await bed.StoredAsync()));
    }

    [FactIfPostgres]
    public async Task A_deadlock_stays_one()
    {
        await using var bed = await FenceBed.PostgresAsync(server, settings: "Options=-c deadlock_timeout=20ms");
        await bed.RunAsync("INSERT INTO rows VALUES (1), (2)");
        await bed.RaiseAsync(5);
        TaskCompletionSource[] there = [new(TaskCreationOptions.RunContinuationsAsynchronously), new(TaskCreationOptions.RunContinuationsAsynchronously)];
        var failure = await Assert.ThrowsAsync<PostgresException>(() => Task.WhenAll(WriteAsync(0), WriteAsync(1)));
        Assert.Equal(PostgresErrorCodes.DeadlockDetected, failure.SqlState);

        Task<int> WriteAsync(int mine) => bed.Fence.WriteAsync(bed.Source, new Permit(5), async transaction =>
        {
            await FenceBed.ExecuteAsync(transaction.Connection!, transaction, $"UPDATE rows SET n = n WHERE n = {1 + mine}");
            there[mine].SetResult();
            await there[1 - mine].Task;
            return await FenceBed.ExecuteAsync(transaction.Connection!, transaction, $"UPDATE rows SET n = n WHERE n = {2 - mine}");
        });
    }

    [FactIfPostgres]
    public async Task A_serialization_failure_in_the_commit_stays_one()
    {
        await using var bed = await FenceBed.PostgresAsync(server);
        await using var first = await bed.Source.OpenConnectionAsync();
        await using var second = await bed.Source.OpenConnectionAsync();
        await using var kept = await WriteAsync(first);
        await using var refused = await WriteAsync(second);
        await kept.CommitAsync();

        var failure = await Assert.ThrowsAsync<PostgresException>(() => refused.CommitAsync());
        Assert.Equal(PostgresErrorCodes.SerializationFailure, failure.SqlState);
        Assert.Null(bed.Fence.Explain(failure, new Permit(0), committing: true));
        Assert.Equal(1, await bed.RowsAsync());

        // Each counts the rows and adds one: one after the other they would have counted differently.
        async Task<DbTransaction> WriteAsync(DbConnection connection)
        {
            var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.Serializable);
            await bed.Fence.CheckAsync(connection, transaction, new Permit(0));
            await FenceBed.ExecuteAsync(connection, transaction, "INSERT INTO rows SELECT count(*) FROM rows");
            return transaction;
        }
    }

    [FactIfPostgres]
    public async Task Who_stands_still_while_raising_does_not_keep_the_fence()
    {
        await using var bed = await FenceBed.PostgresAsync(server, HaFence.ForPostgres(idleLimit: TimeSpan.FromMilliseconds(1234)));
        await bed.RunAsync("""
            CREATE TABLE limits (value TEXT);
            CREATE FUNCTION note_limit() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO limits VALUES (current_setting('idle_in_transaction_session_timeout')); RETURN NEW; END $$;
            CREATE TRIGGER note_limit BEFORE UPDATE ON ha_fence FOR EACH ROW EXECUTE FUNCTION note_limit();
            """);
        Assert.Equal(0, await bed.RaiseAsync(5));
        Assert.Equal(2, await bed.NumberAsync("SELECT count(*) FROM limits WHERE value = '1234ms'"));
    }

    [FactIfPostgres]
    public async Task The_limit_ends_with_the_transaction()
    {
        await using var bed = await FenceBed.PostgresAsync(server, settings: "Maximum Pool Size=1;No Reset On Close=true");
        await using (var before = bed.Source.CreateCommand("SET idle_in_transaction_session_timeout = '1min'"))
        {
            await before.ExecuteNonQueryAsync();
        }

        await bed.AddAsync(new Permit(5));
        await bed.RaiseAsync(6);
        await using var after = bed.Source.CreateCommand("SHOW idle_in_transaction_session_timeout");
        Assert.Equal("1min", await after.ExecuteScalarAsync());
    }

    [Fact]
    public async Task A_busy_SQLite_is_not_in_doubt()
    {
        await using var bed = await FenceBed.NewAsync("SQLite", server);
        await using var connection = await bed.Source.OpenConnectionAsync();
        await using var writer = await connection.BeginTransactionAsync();
        await using var impatient = Microsoft.Data.Sqlite.SqliteFactory.Instance.CreateDataSource(bed.Source.ConnectionString + ";Default Timeout=1");
        var failure = await Assert.ThrowsAsync<Microsoft.Data.Sqlite.SqliteException>(() =>
            bed.Fence.WriteAsync(impatient, new Permit(5), FenceBed.InsertAsync));
        Assert.Equal(SQLitePCL.raw.SQLITE_BUSY, failure.SqliteErrorCode);
        Assert.Null(bed.Fence.Explain(failure, new Permit(5).LostAfter(0), committing: true));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_was_said_before_is_found_in_what_wraps_it(bool committing)
    {
        var fence = HaFence.ForPostgres();
        Exception refused = new NotLeaderException(), unknown = new OutcomeUnknownException();
        Assert.Same(refused, fence.Explain(new InvalidOperationException("wrapped", refused), new Permit(5), committing));
        Assert.Same(unknown, fence.Explain(new InvalidOperationException("wrapped", unknown), new Permit(5), committing));
        Assert.Null(fence.Explain(new InvalidOperationException("of another kind"), new Permit(5).LostAfter(0), committing));
    }

    /// <param name="bed">The database.</param>
    /// <param name="looks">How often the lease is good.</param>
    /// <param name="lost">True: the failure means that this node does not lead any more.</param>
    /// <param name="state">What the database says.</param>
    /// <param name="write">The write.</param>
    /// <param name="beforeCommit">After the last look at the lease.</param>
    private static async Task IsNotExecutedAsync(
        FenceBed bed, int looks, bool lost, string? state, Func<DbTransaction, Task> write, Action<DbTransaction>? beforeCommit = null)
    {
        DbTransaction? writing = null;
        var permit = new Permit(5)
        {
            Looked = () =>
            {
                if (Interlocked.Exchange(ref writing, null) is { } transaction)
                {
                    beforeCommit?.Invoke(transaction);
                }
            },
        }.LostAfter(looks);
        var failure = await Assert.ThrowsAnyAsync<Exception>(() => bed.Fence.WriteAsync(bed.Source, permit, async transaction =>
        {
            writing = transaction;
            await write(transaction);
            return 0;
        }));
        var database = Assert.IsAssignableFrom<NpgsqlException>(lost ? Assert.IsType<NotLeaderException>(failure).InnerException : failure);
        Assert.Equal(state, database.SqlState);
        if (lost)
        {
            Assert.Equal(("http://elsewhere", 6L), (((NotLeaderException)failure).LeaderUrl, ((NotLeaderException)failure).Epoch));
        }

        Assert.Equal((0, 0L), (await bed.RowsAsync(), await bed.StoredAsync()));
    }
}
