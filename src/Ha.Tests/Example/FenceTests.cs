using Dapper;
using Ha.Tests.Support;
using MinimalApiApp.Notes;

namespace Ha.Tests.Example;

[Collection(DatabaseTests.Name)]
public class FenceTests(PostgresServer postgres)
{
    [Theory, EachDatabase]
    public async Task A_write_under_an_older_epoch_leaves_nothing(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        using var notes = await OpenAsync(database);
        await AddAsync(notes, Ticket("b", 20));
        await AddAsync(notes, Ticket("b", 20));
        await Assert.ThrowsAsync<NotLeaderException>(() => AddAsync(notes, Ticket("a", 10)));
        Assert.Equal<long>([20, 20], await EpochsAsync(notes));
        Assert.Equal(20, await notes.ReadFenceAsync(CancellationToken.None));
    }

    [Theory, EachDatabase]
    public async Task Raising_the_fence_shuts_older_epochs_out_and_tells_the_highest_before(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        using var notes = await OpenAsync(database);
        Assert.Equal(0, await notes.RaiseFenceAsync(20, CancellationToken.None));
        Assert.Equal(20, await notes.RaiseFenceAsync(15, CancellationToken.None));
        await Assert.ThrowsAsync<NotLeaderException>(() => AddAsync(notes, Ticket("a", 19)));
        Assert.Equal(20, await notes.ReadFenceAsync(CancellationToken.None));
    }

    [Theory, EachDatabase]
    public async Task A_leader_that_lost_its_lease_before_the_commit_leaves_nothing(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        using var notes = await OpenAsync(database);
        var leads = true;
        var ticket = Ticket("a", 10, () => leads);
        await Assert.ThrowsAsync<NotLeaderException>(() => notes.WriteAsync(ticket, async t =>
        {
            var added = await t.ExecuteAsync("INSERT INTO notes (text, node, epoch) VALUES ('x', @Node, @Epoch)");
            leads = false;
            return added;
        }, CancellationToken.None));
        Assert.Empty(await EpochsAsync(notes));
        Assert.Equal(0, await notes.ReadFenceAsync(CancellationToken.None));
    }

    [Theory, EachDatabase]
    public async Task An_old_leader_that_waits_for_the_fence_finds_it_closed(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        using var newNode = await OpenAsync(database);
        using var oldNode = await OpenAsync(database);
        var inside = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var leave = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var newer = newNode.WriteAsync(Ticket("b", 20), async t =>
        {
            inside.SetResult();
            await leave.Task;
            return await InsertAsync(t);
        }, CancellationToken.None);
        await inside.Task;
        var older = Task.Run(() => AddAsync(oldNode, Ticket("a", 10)));
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
                await AddAsync(i % 2 == 0 ? one : other, Ticket("n", i));
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

    [Theory, EachDatabase]
    public async Task Nodes_that_start_at_once_create_the_tables_once(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => Task.Run(async () =>
        {
            using var notes = await OpenAsync(database);
            await AddAsync(notes, Ticket("n", 1));
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
        var leads = true;
        var old = paused.WriteAsync(Ticket("a", 10, () => leads), async t =>
        {
            inside.SetResult();
            await wake.Task;
            return await InsertAsync(t);
        }, CancellationToken.None);
        await inside.Task;

        await AddAsync(successor, Ticket("b", 20));
        leads = false;
        wake.SetResult();

        await Assert.ThrowsAsync<NotLeaderException>(() => old);
        Assert.Equal<long>([20], await EpochsAsync(successor));
    }

    [Fact]
    public async Task Without_HA_a_node_does_not_write_where_a_cluster_wrote_and_says_why()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        using (var cluster = await OpenAsync(database))
        {
            await AddAsync(cluster, Ticket("a", 1_763_700_000_000_000));
        }

        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        var refused = await app.AddAsync("x");
        Assert.Equal((503, "application/problem+json"), (refused.Status, refused.MediaType));
        Assert.Contains("UPDATE fence SET epoch = 0", refused.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Single(await app.NotesAsync());
    }

    private static async Task<NotesDatabase> OpenAsync(TestDatabase database)
    {
        var notes = NotesDatabase.Open(database.ConnectionString);
        await NotesSchema.CreateAsync(notes, CancellationToken.None);
        return notes;
    }

    private static WriteTicket Ticket(string node, long epoch, Func<bool>? leads = null) =>
        new(node, epoch, () => EnsureStillLeader(leads), () => new LeadershipSnapshot(TimeProvider.System, long.MaxValue)
        {
            NodeId = node,
            LeaderId = "elsewhere",
            LeaderUrl = "http://elsewhere",
            Epoch = epoch + 1,
        });

    private static void EnsureStillLeader(Func<bool>? leads)
    {
        if (leads?.Invoke() == false)
        {
            throw new NotLeaderException { LeaderUrl = "http://elsewhere" };
        }
    }

    private static Task<long> AddAsync(NotesDatabase notes, WriteTicket ticket) => notes.WriteAsync(ticket, InsertAsync, CancellationToken.None);

    private static Task<long> InsertAsync(FencedTransaction transaction) => transaction.FirstOrDefaultAsync<long>(
        "INSERT INTO notes (text, node, epoch) VALUES ('x', @Node, @Epoch) RETURNING id");

    private static async Task<List<long>> EpochsAsync(NotesDatabase notes)
    {
        await using var connection = await notes.OpenAsync(CancellationToken.None);
        return (await connection.QueryAsync<long>("SELECT epoch FROM notes ORDER BY id")).AsList();
    }
}
