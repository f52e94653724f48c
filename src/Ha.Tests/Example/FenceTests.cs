using Dapper;
using Ha.Tests.Fencing;
using Ha.Tests.Support;
using MinimalApiApp.Notes;

namespace Ha.Tests.Example;

[Collection(DatabaseTests.Name)]
public class FenceTests(PostgresServer postgres)
{
    [Fact]
    public void The_documented_lines_are_the_examples()
    {
        var page = Repository.Read("docs/example.md");
        var recipe = page[page.IndexOf("## Recipe: fencing", StringComparison.Ordinal)..page.IndexOf("## Recipe: idem", StringComparison.Ordinal)];
        var documented = recipe.Split("```csharp\n").Skip(1).SelectMany(block => block.Split("```")[0].Split('\n')).ToList();
        var example = string.Concat(new[] { "Program.cs", "Notes/NotesDatabase.cs", "Notes/NotesSchema.cs", "Notes/SqlDialect.cs" }
            .Select(file => Repository.Read($"examples/MinimalApiApp/{file}")));
        Assert.InRange(documented.Count, 10, 40);
        Assert.All(documented, line => Assert.Contains(line.Split(" //")[0].Trim(), example, StringComparison.Ordinal));
    }

    [Theory, EachDatabase]
    public async Task A_write_under_an_older_epoch_leaves_nothing(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        using var notes = await OpenAsync(database);
        await AddAsync(notes, new Permit(20));
        await AddAsync(notes, new Permit(20));
        await Assert.ThrowsAsync<NotLeaderException>(() => AddAsync(notes, new Permit(10)));
        Assert.Equal<long>([20, 20], await EpochsAsync(notes));
        Assert.Equal(20, await StoredAsync(notes));
    }

    [Theory, EachDatabase]
    public async Task Raising_the_fence_shuts_older_epochs_out_and_tells_the_highest_before(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        using var notes = await OpenAsync(database);
        Assert.Equal(0, await RaiseAsync(notes, 20));
        Assert.Equal(20, await RaiseAsync(notes, 15));
        await Assert.ThrowsAsync<NotLeaderException>(() => AddAsync(notes, new Permit(19)));
        Assert.Equal(20, await StoredAsync(notes));
    }

    [Theory, EachDatabase]
    public async Task A_leader_that_lost_its_lease_before_the_commit_leaves_nothing(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        using var notes = await OpenAsync(database);
        var permit = new Permit(10);
        await Assert.ThrowsAsync<NotLeaderException>(() => WriteAsync(notes, permit, async t =>
        {
            var added = await t.ExecuteAsync("INSERT INTO notes (text, node, epoch) VALUES ('x', @node, @epoch)");
            permit.Lose();
            return added;
        }));
        Assert.Empty(await EpochsAsync(notes));
        Assert.Equal(0, await StoredAsync(notes));
    }

    [Theory, EachDatabase]
    public async Task An_old_leader_that_waits_for_the_fence_finds_it_closed(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        using var newNode = await OpenAsync(database);
        using var oldNode = await OpenAsync(database);
        var inside = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var leave = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var newer = WriteAsync(newNode, new Permit(20), async t =>
        {
            inside.SetResult();
            await leave.Task;
            return await InsertAsync(t);
        });
        await inside.Task;
        var older = Task.Run(() => AddAsync(oldNode, new Permit(10)));
        leave.SetResult();
        await newer;
        await Assert.ThrowsAsync<NotLeaderException>(() => older);
        Assert.Equal<long>([20], await EpochsAsync(newNode));
    }

    [Theory, EachDatabase]
    public async Task Ids_ascend_in_the_order_of_commits_across_nodes(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        using var one = await OpenAsync(database);
        using var other = await OpenAsync(database);
        var writers = Enumerable.Range(1, 40).Select(i => Task.Run(async () =>
        {
            try
            {
                await AddAsync(i % 2 == 0 ? one : other, new Permit(i));
            }
            catch (NotLeaderException)
            {
                // A higher epoch was faster.
            }
        }));
        await Task.WhenAll(writers);
        var epochs = await EpochsAsync(one);
        Assert.Equal(40, epochs[^1]);
        Assert.Equal(epochs.Order(), epochs);
    }

    /// <summary>Ids are given out before the commit, and behind the fence writers of one epoch do not wait for each other.</summary>
    [FactIfPostgres]
    public async Task Who_reads_on_after_the_last_id_misses_no_note_that_is_committed_later()
    {
        using var database = await TestDatabase.NewAsync("PostgreSQL", postgres);
        using var one = await OpenAsync(database);
        using var other = await OpenAsync(database);
        var inside = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var leave = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var first = WriteAsync(one, new Permit(0), async t =>
        {
            var id = await InsertAsync(t);
            inside.SetResult();
            await leave.Task;
            return id;
        });
        await inside.Task;
        var second = AddAsync(other, new Permit(0));
        await Eventually.True(async () => second.IsCompleted || (await NumbersAsync(one,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")).Single() == 1);
        var readBefore = await NumbersAsync(one, "SELECT id FROM notes ORDER BY id");
        leave.SetResult();

        long[] ids = [await first, await second];
        Assert.Equal(ids, readBefore.Concat(await NumbersAsync(one, $"SELECT id FROM notes WHERE id > {readBefore.LastOrDefault()} ORDER BY id")));
    }

    [Theory, EachDatabase]
    public async Task Nodes_that_start_at_once_create_the_tables_once(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => Task.Run(async () =>
        {
            using var notes = await OpenAsync(database);
            await AddAsync(notes, new Permit(1));
        })));
        using var again = await OpenAsync(database);
        Assert.Equal(5, (await EpochsAsync(again)).Count);
    }

    [FactIfPostgres]
    public async Task A_paused_leader_inside_a_transaction_holds_its_successor_up_for_two_seconds_at_most()
    {
        using var database = await TestDatabase.NewAsync("PostgreSQL", postgres);
        using var paused = await OpenAsync(database);
        using var successor = await OpenAsync(database);
        var inside = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var wake = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var permit = new Permit(10);
        var old = WriteAsync(paused, permit, async t =>
        {
            inside.SetResult();
            await wake.Task;
            return await InsertAsync(t);
        });
        await inside.Task;

        await AddAsync(successor, new Permit(20));
        permit.Lose();
        wake.SetResult();

        await Assert.ThrowsAsync<NotLeaderException>(() => old);
        Assert.Equal<long>([20], await EpochsAsync(successor));
    }

    [FactIfPostgres]
    public async Task A_write_that_waits_for_a_lock_ends_when_it_is_told_to()
    {
        using var database = await TestDatabase.NewAsync("PostgreSQL", postgres);
        using var notes = await OpenAsync(database);
        await using var other = await notes.OpenAsync(CancellationToken.None);
        await other.ExecuteAsync(notes.Sql.StandInLine.Replace("_xact", "", StringComparison.Ordinal));
        using var stop = new CancellationTokenSource();
        var write = notes.WriteAsync(InsertAsync, stop.Token);
        await Eventually.True(async () => (await NumbersAsync(notes,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")).Single() == 1);
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write);
        Assert.Empty(await EpochsAsync(notes));
    }

    [Fact]
    public async Task Without_HA_a_node_does_not_write_where_a_cluster_wrote_and_says_why()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        using (var cluster = await OpenAsync(database))
        {
            await AddAsync(cluster, new Permit(1_763_700_000_000_000));
        }

        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        var refused = await app.AddAsync("x");
        Assert.Equal((503, "application/problem+json"), (refused.Status, refused.MediaType));
        Assert.Contains("UPDATE fence SET epoch = 0", refused.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Single(await app.NotesAsync());
    }

    private static async Task<NotesDatabase> OpenAsync(TestDatabase database)
    {
        var sql = SqlDialect.Of(database.ConnectionString);
        await NotesSchema.CreateAsync(sql, CancellationToken.None);
        return new NotesDatabase(sql, new StaticLeader("n"));
    }

    private static ValueTask<long> RaiseAsync(NotesDatabase notes, long epoch) => notes.Sql.Fence.RaiseAsync(notes.Sql.Source, epoch, CancellationToken.None);

    private static Task<long> AddAsync(NotesDatabase notes, Permit permit) => WriteAsync(notes, permit, InsertAsync);

    private static async Task<T> WriteAsync<T>(NotesDatabase notes, Permit permit, Func<FencedTransaction, Task<T>> work)
    {
        using var scope = LeaderScope.Enter(permit);
        return await notes.WriteAsync(work, CancellationToken.None);
    }

    private static Task<long> InsertAsync(FencedTransaction transaction) => transaction.InsertAsync(
        "INSERT INTO notes (text, node, epoch) VALUES ('x', @node, @epoch) RETURNING id");

    private static async Task<long> StoredAsync(NotesDatabase notes) => (await NumbersAsync(notes, "SELECT epoch FROM fence")).Single();

    private static Task<List<long>> EpochsAsync(NotesDatabase notes) => NumbersAsync(notes, "SELECT epoch FROM notes ORDER BY id");

    private static async Task<List<long>> NumbersAsync(NotesDatabase notes, string sql)
    {
        await using var connection = await notes.OpenAsync(CancellationToken.None);
        return (await connection.QueryAsync<long>(sql)).AsList();
    }
}
