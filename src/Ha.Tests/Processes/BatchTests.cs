using System.Text.Json;
using Ha.Cli.Cluster;
using Ha.Tests.Support;
using Npgsql;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

/// <summary><c>POST /notes/batch</c>, whose leader goes away in the middle.</summary>
[Trait("Category", "Long")]
[Collection(ProcessTests.Name)]
public class BatchTests(ITestOutputHelper output, PostgresServer postgres)
{
    private const int Notes = 1000;

    [TheoryIfPostgres]
    [InlineData("redirect")]
    [InlineData("proxy")]
    public async Task A_handover_in_the_middle_keeps_what_was_executed_and_tells_the_rest_who_leads(string mode)
    {
        await using var cluster = await StartAsync(mode);
        await using var stalled = await StallAsync(cluster, mode);
        await Eventually.True(async () => await cluster.StepDownAsync(cluster.A, to: cluster.B) is "accepted", what: "b can take over");
        await Eventually.True(async () => await cluster.LeaderAsync(cluster.A) is { NodeId: "b" }, what: "a knows that b leads");

        await stalled.GoOnAsync();
        var answer = await stalled.Answer;

        Assert.Equal(207, answer.Status);
        Assert.Null(answer.Header("Location"));
        Assert.Null(answer.Header("X-Base-Not-Executed"));
        var items = answer.Json.EnumerateArray().ToArray();
        Assert.Equal(Notes, items.Length);
        var created = items.TakeWhile(item => Status(item) == 201).Select(item => NoteAnswer.Parse(item.GetProperty("body"))).ToArray();
        output.WriteLine($"{created.Length} of {items.Length} were executed");
        Assert.InRange(created.Length, 1, Notes - 1);
        Assert.All(items[created.Length..], refused =>
        {
            Assert.Equal(503, Status(refused));
            var problem = refused.GetProperty("body");
            Assert.Equal("not leader", problem.GetProperty("error").GetString());
            Assert.Equal(cluster.B.Url, problem.GetProperty("leader").GetString());
            Assert.True(problem.GetProperty("epoch").GetInt64() > created[0].Epoch);
        });
        Assert.Equal(created, await stalled.NotesAsync(cluster.C));
    }

    [TheoryIfPostgres]
    [InlineData("redirect")]
    [InlineData("proxy")]
    public async Task Kill_9_in_the_middle_leaves_each_note_there_once_or_not_at_all_and_confirms_none(string mode)
    {
        await using var cluster = await StartAsync(mode);
        var epoch = (await cluster.LeaderAsync(cluster.A))!.Epoch;
        await using var stalled = await StallAsync(cluster, mode);
        var before = await stalled.NotesAsync(cluster.C);
        cluster.A.Kill();
        await cluster.A.WhenDead;
        await stalled.GoOnAsync();

        if (mode is "proxy")
        {
            var answer = await stalled.Answer;
            Assert.Equal((502, "outcome unknown"), (answer.Status, answer.Json.GetProperty("error").GetString()));
            Assert.Null(answer.Header("X-Base-Not-Executed"));
        }
        else
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => stalled.Answer);
        }

        await cluster.WaitForLeaderAsync(afterEpoch: epoch);
        Assert.InRange(before.Count, 1, Notes - 1);
        Assert.Equal(before, await stalled.NotesAsync(cluster.C));
    }

    private static int Status(JsonElement item) => item.GetProperty("status").GetInt32();

    // PostgreSQL: who waits for a row's lock gets it next, also from a batch that takes it again and again. A lease so long
    // that a follower does not give the old leader up before the test goes on.
    private async Task<ExampleCluster> StartAsync(string mode) => await ExampleCluster.StartWithLeaderAsync(output, new ClusterSettings
    {
        Interval = ExampleCluster.QuickInterval,
        Lease = TimeSpan.FromSeconds(2),
        Mode = mode,
        Environment = _ => new Dictionary<string, string?>(StringComparer.Ordinal) { ["BASE_DRAIN_TIMEOUT"] = "50ms" },
    }, await postgres.NewDatabaseAsync());

    /// <summary>Sends a batch and locks the fence's row in the middle of it. A batch that was faster is sent anew.</summary>
    private static async Task<StalledBatch> StallAsync(ExampleCluster cluster, string mode)
    {
        for (var round = 0; ; round++)
        {
            var prefix = $"{round}: ";
            var body = JsonSerializer.Serialize(Enumerable.Range(0, Notes).Select(i => new { text = $"{prefix}{i}" }));
            var answer = cluster.SendAsync(mode is "proxy" ? cluster.C : cluster.A, "POST", "/notes/batch", body);
            var stalled = new StalledBatch(cluster, prefix, answer);
            await Eventually.True(async () => answer.IsCompleted || (await stalled.NotesAsync(cluster.C)).Count > 0, what: "the batch has begun");
            await stalled.HoldAsync();
            if (!answer.IsCompleted)
            {
                return stalled;
            }

            await stalled.DisposeAsync();
        }
    }

    private sealed class StalledBatch(ExampleCluster cluster, string prefix, Task<NodeAnswer> answer) : IAsyncDisposable
    {
        private readonly NpgsqlConnection _connection = new(cluster.Database);
        private NpgsqlTransaction? _hold;

        public Task<NodeAnswer> Answer => answer;

        public async Task HoldAsync()
        {
            await _connection.OpenAsync();
            _hold = await _connection.BeginTransactionAsync();
            await using var hold = new NpgsqlCommand("SELECT epoch FROM fence FOR UPDATE", _connection, _hold);
            await hold.ExecuteScalarAsync();
        }

        public Task GoOnAsync() => _hold!.RollbackAsync();

        public async Task<IReadOnlyList<NoteAnswer>> NotesAsync(NodeProcess node) =>
            [.. (await cluster.NotesAsync(node)).Where(note => note.Text.StartsWith(prefix, StringComparison.Ordinal))];

        public async ValueTask DisposeAsync()
        {
            if (_hold is not null)
            {
                await _hold.DisposeAsync();
            }

            await _connection.DisposeAsync();
        }
    }
}
