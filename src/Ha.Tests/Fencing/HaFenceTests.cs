using System.Data.Common;
using Ha.Tests.Support;
using Microsoft.Data.Sqlite;

namespace Ha.Tests.Fencing;

/// <summary>What holds for a fence in any database.</summary>
[Collection(DatabaseTests.Name)]
public sealed class HaFenceTests(PostgresServer server)
{
    [Theory, EachFence]
    public async Task The_same_and_later_epochs_are_let_in_and_older_ones_are_not(string kind)
    {
        await using var bed = await FenceBed.NewAsync(kind, server);
        await bed.RaiseAsync(5);
        await bed.AddAsync(new Permit(5));
        Assert.Equal(5, await bed.StoredAsync());
        await bed.AddAsync(new Permit(7));
        Assert.Equal(7, await bed.StoredAsync());

        await Assert.ThrowsAsync<NotLeaderException>(() => bed.AddAsync(new Permit(6)));
        var lost = await Assert.ThrowsAsync<NotLeaderException>(() => bed.AddAsync(new Permit(6).LostAfter(0)));
        Assert.Equal(("http://elsewhere", 7L), (lost.LeaderUrl, lost.Epoch));
        Assert.Equal((2, 7L), (await bed.RowsAsync(), await bed.StoredAsync()));
    }

    [Theory, EachFence]
    public async Task A_check_without_waiting_says_the_same(string kind)
    {
        await using var bed = await FenceBed.NewAsync(kind, server);
        await bed.RaiseAsync(5);
        await using var connection = await bed.Source.OpenConnectionAsync();
        await using (var transaction = await connection.BeginTransactionAsync())
        {
            Assert.Throws<NotLeaderException>(() => bed.Fence.Check(connection, transaction, new Permit(4)));
            bed.Fence.Check(connection, transaction, new Permit(5));
            bed.Fence.Check(connection, transaction, new Permit(6));
        }

        Assert.Equal(5, await bed.StoredAsync());
    }

    [Theory, EachFence]
    public async Task Raising_tells_the_epoch_before_and_never_lowers(string kind)
    {
        await using var bed = await FenceBed.NewAsync(kind, server);
        Assert.Equal(0, await bed.RaiseAsync(20));
        Assert.Equal(20, await bed.RaiseAsync(15));
        Assert.Equal(20, await bed.RaiseAsync(20));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => bed.RaiseAsync(-1).AsTask());
        Assert.Equal(20, await bed.StoredAsync());
    }

    [Theory, EachFence]
    public async Task Raising_waits_for_who_is_behind_the_fence(string kind)
    {
        await using var bed = await FenceBed.NewAsync(kind, server);
        await using (var connection = await bed.Source.OpenConnectionAsync())
        await using (var transaction = await connection.BeginTransactionAsync())
        {
            await bed.Fence.CheckAsync(connection, transaction, new Permit(3));
            var raising = Task.Run(() => bed.RaiseAsync(9).AsTask());
            if (kind is "PostgreSQL")
            {
                await bed.SomebodyWaitsAsync();
            }

            Assert.False(raising.IsCompleted);
            await FenceBed.InsertAsync(transaction);
            await transaction.CommitAsync();
            Assert.Equal(3, await raising);
        }

        await Assert.ThrowsAsync<NotLeaderException>(() => bed.AddAsync(new Permit(3)));
        Assert.Equal(1, await bed.RowsAsync());
    }

    [Theory, EachFence]
    public async Task A_write_whose_lease_ends_before_the_commit_leaves_nothing(string kind)
    {
        await using var bed = await FenceBed.NewAsync(kind, server);
        await Assert.ThrowsAsync<NotLeaderException>(() => bed.AddAsync(new Permit(5).LostAfter(0)));
        Assert.Equal((0, 0L), (await bed.RowsAsync(), await bed.StoredAsync()));
    }

    [Theory, EachFence]
    public async Task What_the_write_throws_stays_what_it_is_and_nothing_is_left(string kind)
    {
        await using var bed = await FenceBed.NewAsync(kind, server);
        var thrown = new InvalidDataException("no");
        var failure = await Assert.ThrowsAsync<InvalidDataException>(() => bed.Fence.WriteAsync<int>(bed.Source, new Permit(5), async transaction =>
        {
            await FenceBed.InsertAsync(transaction);
            throw thrown;
        }));
        Assert.Same(thrown, failure);
        await Assert.ThrowsAnyAsync<DbException>(() => bed.Fence.WriteAsync(bed.Source, new Permit(5), transaction =>
            FenceBed.ExecuteAsync(transaction.Connection!, transaction, "INSERT INTO nowhere VALUES (1)")));
        Assert.Equal((0, 0L), (await bed.RowsAsync(), await bed.StoredAsync()));
    }

    [Theory, EachFence]
    public async Task A_fence_without_its_row_says_how_to_make_it(string kind)
    {
        await using var bed = await FenceBed.NewAsync(kind, server);
        await bed.RunAsync("DELETE FROM ha_fence");
        var raising = await Assert.ThrowsAsync<InvalidOperationException>(() => bed.RaiseAsync(5).AsTask());
        var writing = await Assert.ThrowsAsync<InvalidOperationException>(() => bed.AddAsync(new Permit(5)));
        Assert.Equal(raising.Message, writing.Message);
        await bed.RunAsync(raising.Message[raising.Message.IndexOf("INSERT", StringComparison.Ordinal)..]);
        await bed.AddAsync(new Permit(5));
    }

    [Theory, EachFence]
    public async Task A_database_without_the_table_is_an_error_of_the_database(string kind)
    {
        await using var bed = await FenceBed.NewAsync(kind, server);
        await bed.RunAsync("DROP TABLE ha_fence");
        await Assert.ThrowsAnyAsync<DbException>(() => bed.RaiseAsync(5).AsTask());
        await Assert.ThrowsAnyAsync<DbException>(() => bed.AddAsync(new Permit(5)));
    }

    [Theory, EachDatabase]
    public async Task Eight_nodes_that_start_at_once_make_one_table_with_one_row(string kind)
    {
        await using var bed = await FenceBed.NewAsync(kind, server);
        await bed.RunAsync("DROP TABLE ha_fence");
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => bed.Fence.CreateAsync(bed.Source))));
        await bed.RaiseAsync(5);
        await bed.Fence.CreateAsync(bed.Source);
        Assert.Equal((5, 1L), (await bed.StoredAsync(), await bed.NumberAsync("SELECT count(*) FROM ha_fence")));
    }

    [Theory, EachDatabase]
    public async Task A_name_is_taken_as_it_is(string kind)
    {
        const string Name = """the "Fence"; DROP TABLE rows""";
        await using var bed = await FenceBed.NewAsync(kind, server);
        var fence = kind is "SQLite" ? HaFence.ForSqlite(Name) : HaFence.ForPostgres(Name, schema: "My \"schema");
        if (kind is "PostgreSQL")
        {
            await bed.RunAsync("""CREATE SCHEMA "My ""schema" """);
        }

        await fence.CreateAsync(bed.Source);
        Assert.Equal(0, await fence.RaiseAsync(bed.Source, 5, CancellationToken.None));
        await fence.WriteAsync(bed.Source, new Permit(6), FenceBed.InsertAsync);
        Assert.Equal(6, await fence.RaiseAsync(bed.Source, 6, CancellationToken.None));
        Assert.Equal((1, 0L), (await bed.RowsAsync(), await bed.StoredAsync()));
    }

    [Fact]
    public async Task What_only_some_databases_can_is_said()
    {
        await using var source = SqliteFactory.Instance.CreateDataSource("Data Source=:memory:");
        var fence = HaFence.ForStandardSql("fence");
        await Assert.ThrowsAsync<NotSupportedException>(() => fence.CreateAsync(source));
        Assert.Null(fence.CheckStatement(5));
        Assert.Null(HaFence.ForSqlite().CheckStatement(5));
    }

    [Fact]
    public void Names_and_limits_that_cannot_be_are_refused()
    {
        Assert.Throws<ArgumentException>(() => HaFence.ForPostgres(""));
        Assert.Throws<ArgumentException>(() => HaFence.ForPostgres(schema: ""));
        Assert.Throws<ArgumentException>(() => HaFence.ForSqlite(""));
        Assert.Throws<ArgumentException>(() => HaFence.ForStandardSql("fence", epochColumn: ""));
        Assert.Throws<ArgumentOutOfRangeException>(() => HaFence.ForPostgres(idleLimit: TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => HaFence.ForPostgres(idleLimit: TimeSpan.FromDays(25)));
        HaFence.ForPostgres(idleLimit: Timeout.InfiniteTimeSpan);
    }

    [Theory, EachFence]
    public async Task A_writer_that_is_told_to_stop_waiting_stops(string kind)
    {
        await using var bed = await FenceBed.NewAsync(kind, server);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            bed.Fence.WriteAsync(bed.Source, new Permit(5), FenceBed.InsertAsync, new CancellationToken(canceled: true)));
        Assert.Equal(0, await bed.RowsAsync());
    }
}
