using Ha.Cli.Cluster;
using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

[Collection(ProcessTests.Name)]
public class FailoverTests(ITestOutputHelper output, PostgresServer postgres)
{
    [Fact]
    public async Task After_kill_9_the_next_lowest_leads_and_the_first_comes_back_without_a_failed_write()
    {
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(output, new ClusterSettings { Mode = "proxy" });
        var before = await cluster.AddAsync(cluster.B, "before", key: "k");
        var old = before.Json.GetProperty("epoch").GetInt64();

        cluster.A.Kill();
        var killed = TimeProvider.System.GetTimestamp();
        // Held until there is a leader, then answered: one request, no retry by the client.
        var first = await Eventually.NotNull(async () => await cluster.AddAsync(cluster.C, "after") is { Status: 201 } ok ? ok : null, what: "a write succeeds");
        var took = TimeProvider.System.GetElapsedTime(killed);
        output.WriteLine($"first write {took.TotalMilliseconds:0} ms after the kill; the issue allows lease {cluster.Lease.TotalMilliseconds:0} ms + 200 ms");
        Assert.Equal("b", first.Json.GetProperty("node").GetString());
        Assert.True(first.Json.GetProperty("epoch").GetInt64() > old);

        // The key lives in the database: the next leader knows the first answer, and what it was the answer to.
        var again = await cluster.AddAsync(cluster.C, "before", key: "k");
        Assert.Equal((201, before.Body, "true"), (again.Status, again.Body, again.Header("Idempotent-Replayed")));
        Assert.Equal(422, (await cluster.AddAsync(cluster.C, "another", key: "k")).Status);
        Assert.True(took < cluster.Lease + TimeSpan.FromSeconds(2), $"took {took}");

        await using var load = new SteadyWrites(cluster, cluster.B, cluster.C);
        await cluster.StartAgainAsync(cluster.A);
        var back = await Eventually.NotNull(() => cluster.LeaderAsync(cluster.A), what: "a answers");
        Assert.False(back.IsSelf);
        await Eventually.True(async () => await cluster.LeaderAsync(cluster.A) is { IsSelf: true }, TimeSpan.FromSeconds(40), what: "leadership returns to a");
        await load.StopAsync();
        output.WriteLine($"{load.Ok} writes while a came back, {load.Failures.Count()} failed");
        Assert.Empty(load.Failures);
        Assert.True(load.Ok > 0);
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task SIGTERM_moves_leadership_without_waiting_for_the_lease()
    {
        // A lease that is long beside everything else here: nothing but a handoff can be this fast.
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(output,
            new ClusterSettings { Interval = TimeSpan.FromSeconds(1), Lease = TimeSpan.FromSeconds(4) });
        await AHasHeardThatBIsReadyAsync(cluster);
        var old = (await cluster.LeaderAsync(cluster.A))!.Epoch;
        var start = TimeProvider.System.GetTimestamp();
        cluster.A.Terminate();
        await Eventually.True(async () => await cluster.LeaderAsync(cluster.B) is { IsSelf: true } b && b.Epoch > old, what: "b leads");
        var took = TimeProvider.System.GetElapsedTime(start);
        output.WriteLine($"leadership moved {took.TotalMilliseconds:0} ms after SIGTERM, as seen by polling");
        Assert.True(took < TimeSpan.FromSeconds(2), $"took {took}");
        await cluster.A.WhenDead.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(0, cluster.A.ExitCode);
    }

    // A leader hands over to whoever may lead at that moment, and a node that has started a little later may not yet: what
    // it says of itself counts once it has come with a heartbeat. The first one heard may have been under way before.
    private static async Task AHasHeardThatBIsReadyAsync(ExampleCluster cluster)
    {
        await Eventually.True(async () => (await cluster.SendAsync(cluster.B, "GET", "/_ha/healthz/ready")).Status == 200, what: "b is ready");
        for (var heard = 0; heard < 2; heard++)
        {
            var before = await LastSeenAsync();
            await Eventually.True(async () => await LastSeenAsync() != before, what: "a hears b");
        }

        async Task<string> LastSeenAsync() => (await cluster.SendAsync(cluster.A, "GET", "/_ha/peers")).Json.EnumerateArray()
            .Single(peer => peer.GetProperty("node_id").GetString() == "b").GetProperty("last_seen").GetRawText();
    }

    [Fact]
    public async Task With_two_of_three_dead_reads_are_served_and_writes_wait_for_a_majority()
    {
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(output, new ClusterSettings
        {
            Interval = ExampleCluster.QuickInterval,
            Environment = _ => new Dictionary<string, string?>(StringComparer.Ordinal) { ["BASE_WRITE_HOLD"] = "0" },
        });
        var old = (await cluster.LeaderAsync(cluster.A))!.Epoch;
        cluster.A.Kill();
        cluster.B.Kill();

        // Redirected for as long as the lease that c has heard of lasts.
        var refused = await Eventually.NotNull(async () => await cluster.AddAsync(cluster.C, "nobody may") is { Status: not 307 } other ? other : null);
        Assert.Equal((503, "1"), (refused.Status, refused.Header("Retry-After")));
        Assert.Equal("no leader", refused.Json.GetProperty("error").GetString());
        Assert.False(refused.Json.GetProperty("leader_known").GetBoolean());
        Assert.Equal(200, (await cluster.SendAsync(cluster.C, "GET", "/notes")).Status);

        await cluster.StartAgainAsync(cluster.B);
        var leader = await cluster.WaitForLeaderAsync(old);
        Assert.Equal(201, (await cluster.AddAsync(cluster.Node(leader), "again")).Status);
    }

    [Theory, EachDatabase]
    [Trait("Category", "Long")]
    public async Task A_paused_leader_commits_nothing_after_its_successors_first_write(string database)
    {
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(output, new ClusterSettings
        {
            Interval = ExampleCluster.QuickInterval,
            Mode = "proxy",
        }, database is "PostgreSQL" ? await postgres.NewDatabaseAsync() : null);
        var old = (await cluster.LeaderAsync(cluster.A))!.Epoch;
        await using var load = new SteadyWrites(cluster, cluster.A, cluster.B, cluster.C) { Keys = true };
        await load.UntilMoreAsync(20);
        cluster.A.Pause();
        // The kernel takes these connections and their bytes while the process stands still.
        var inFlight = Enumerable.Range(0, 20).Select(i => load.TryOnceAsync(cluster.A, $"in flight {i}")).ToArray();

        // As c hears it: when a stopped inside a transaction, b holds the lease but cannot raise its fence yet.
        await Eventually.True(async () => await cluster.LeaderAsync(cluster.C) is { NodeId: "b" } now && now.Epoch > old,
            TimeSpan.FromSeconds(30), "c hears that b leads");
        if (database is "PostgreSQL")
        {
            await Eventually.True(async () => (await cluster.NotesAsync(cluster.C)).Any(n => n.Epoch > old), what: "b writes while a is paused");
        }

        // A process that is paused inside a transaction keeps SQLite's file lock: b may have to wait for this.
        cluster.A.Resume();
        await Task.WhenAll(inFlight);
        await Eventually.True(async () => (await cluster.NotesAsync(cluster.C)).Any(n => n.Epoch > old), what: "b writes");
        await load.UntilMoreAsync(20);
        await load.StopAsync();

        var notes = await cluster.NotesAsync(cluster.C);
        output.WriteLine($"{notes.Count} notes: {string.Join(", ", notes.GroupBy(n => (n.Node, n.Epoch)).Select(g => $"{g.Count()} by {g.Key.Node} in {g.Key.Epoch}"))}");
        Assert.Equal(notes.Select(n => n.Epoch).Order(), notes.Select(n => n.Epoch));
        Assert.All(notes.GroupBy(n => n.Epoch), epoch => Assert.Single(epoch.Select(n => n.Node).Distinct(StringComparer.Ordinal)));
        load.Results.AssertAcknowledgedAreThereOnce(notes);
    }
}
