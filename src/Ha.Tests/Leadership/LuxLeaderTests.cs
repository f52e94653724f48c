using Ha.Tests.Support;

namespace Ha.Tests.Leadership;

public class LuxLeaderTests
{
    [Fact]
    public async Task The_lowest_of_three_leads_and_the_others_know_where_to_send_writes()
    {
        await using var cluster = new LuxCluster("a", "b", "c").StartAll();

        await Task.WhenAll(cluster.All.Select(node => node.Ready));
        await Eventually.True(() => cluster["a"].IsLeader && cluster["b"].RedirectTarget is not null && cluster["c"].RedirectTarget is not null);

        Assert.Null(cluster["a"].RedirectTarget);
        Assert.Equal("http://public-a", cluster["b"].RedirectTarget);
        Assert.Equal("http://a", cluster["c"].Current.LeaderTarget);
        Assert.Equal(cluster["a"].Current.Epoch, cluster["c"].Current.Epoch);
        Assert.True(cluster["a"].Current.LeaseRemaining > TimeSpan.Zero);
    }

    [Fact]
    public async Task A_silent_leader_is_replaced_with_a_higher_epoch()
    {
        await using var cluster = new LuxCluster("a", "b", "c").StartAll();
        await Eventually.True(() => cluster["a"].IsLeader);
        var epoch = cluster["a"].Current.Epoch;

        await cluster.KillAsync("a");

        await Eventually.True(() => cluster["b"].IsLeader);
        Assert.True(cluster["b"].Current.Epoch > epoch);
    }

    [Fact]
    public async Task Without_a_majority_nobody_leads()
    {
        await using var cluster = new LuxCluster("a", "b", "c").StartAll();
        await Eventually.True(() => cluster["a"].IsLeader);

        await cluster.KillAsync("b");
        await cluster.KillAsync("c");

        await Eventually.True(() => cluster["a"].Current.LeaderId is null);
        cluster.Start("b");
        await Eventually.True(() => cluster["a"].IsLeader);
    }

    [Fact]
    public async Task A_step_down_hands_over_to_the_named_node_and_ends_the_old_leadership_first()
    {
        await using var cluster = new LuxCluster("a", "b", "c").StartAll();
        await Eventually.True(() => cluster["a"].IsLeader && cluster["a"].Election.View().Members.All(m => m.Up));
        var old = cluster["a"].Current;

        await Eventually.True(() => cluster["a"].Election.StepDown("c") is { Result: HandoffResult.NotLeader } || cluster["c"].IsLeader);
        await Eventually.True(() => cluster["c"].IsLeader);

        Assert.False(old.IsLeader);
        Assert.True(old.LeaseLost.IsCancellationRequested);
        Assert.True(cluster["c"].Current.Epoch > old.Epoch);
        Assert.Equal(HandoffResult.NotLeader, cluster["b"].Election.StepDown(null).Result);
        Assert.Equal(HandoffResult.NotEligible, cluster["c"].Election.StepDown("nobody").Result);
    }

    [Fact]
    public async Task Callbacks_of_the_application_that_block_or_throw_do_not_stop_the_election()
    {
        using var unblock = new ManualResetEventSlim();
        await using var cluster = new LuxCluster("a", "b", "c").StartAll();
        await Eventually.True(() => cluster["a"].IsLeader && cluster["a"].Election.View().Members.All(m => m.Up));
        using var throwing = cluster["a"].Current.LeaseLost.Register(() => throw new InvalidOperationException("a broken application"));
        using var blocking = cluster["a"].Current.LeaseLost.Register(() => unblock.Wait());
        using var changed = cluster["a"].GetChangeToken().RegisterChangeCallback(_ => unblock.Wait(), state: null);

        try
        {
            await Task.Run(() => cluster["a"].Election.StepDown("b")).WaitAsync(TimeSpan.FromSeconds(30));
            await Eventually.True(() => cluster["b"].IsLeader && cluster["a"].Current.LeaderId == "b");
            var epoch = cluster["b"].Current.Epoch;
            await cluster.KillAsync("b");
            await Eventually.True(() => cluster["a"].Current.Epoch > epoch);
        }
        finally
        {
            unblock.Set();
        }
    }

    [Fact]
    public async Task A_handoff_waits_for_the_writer_inside()
    {
        await using var cluster = new LuxCluster("a", "b", "c").StartAll();
        await Eventually.True(() => cluster["a"].IsLeader);
        cluster["a"].Election.Gate.Enter();

        await Eventually.True(() => cluster["a"].Election.StepDown("b").Result == HandoffResult.AlreadyRunning);
        await Eventually.True(() => !cluster["a"].Current.AdmitsWrites);

        Assert.True(cluster["a"].IsLeader);
        Assert.False(cluster["b"].IsLeader);
        cluster["a"].Election.Gate.Exit();
        await Eventually.True(() => cluster["b"].IsLeader);
    }

    [Fact]
    public async Task A_shutdown_with_a_stuck_writer_lets_the_lease_lapse()
    {
        await using var cluster = new LuxCluster("a", "b", "c");
        cluster.Start("b");
        cluster.Start("c");
        var a = cluster.Start("a", o => o.DrainTimeout = TimeSpan.FromMilliseconds(50));
        await Eventually.True(() => a.IsLeader || cluster["b"].IsLeader);
        var leader = a.IsLeader ? a : cluster["b"];
        var lease = leader.Current;
        leader.Election.Gate.Enter();

        await leader.Election.HandOffForShutdownAsync(CancellationToken.None);

        Assert.False(leader.IsLeader);
        Assert.True(leader.Current.Draining);
        Assert.True(lease.LeaseLost.IsCancellationRequested);
        await Eventually.True(() => cluster["c"].IsLeader || cluster.All.Any(n => n != leader && n.IsLeader));
    }

    [Fact]
    public async Task A_new_leader_goes_above_the_epoch_that_the_application_has_stored()
    {
        var stored = (1L << 52) + 7;
        await using var cluster = new LuxCluster("a");
        cluster.Start("a", o => o.RaiseFence = (epoch, _) => ValueTask.FromResult(Interlocked.Exchange(ref stored, Math.Max(stored, epoch))));

        await Eventually.True(() => cluster["a"].Current.AdmitsWrites);

        Assert.True(cluster["a"].Current.Epoch > (1L << 52) + 7);
        Assert.Equal(cluster["a"].Current.Epoch, stored);
    }

    [Fact]
    public async Task An_application_that_cannot_tell_its_epoch_is_asked_again_and_no_write_is_admitted_before()
    {
        var answers = 0;
        await using var cluster = new LuxCluster("a");
        cluster.Start("a", o => o.RaiseFence = (_, _) => ++answers < 3 ? throw new IOException("the database is down") : ValueTask.FromResult(1L));

        Assert.False(cluster["a"].Current.AdmitsWrites);
        await Eventually.True(() => cluster["a"].Current.AdmitsWrites);

        Assert.Equal(3, answers);
    }

    [Fact]
    public async Task An_application_that_blocks_while_it_raises_its_fence_holds_nobody_up()
    {
        using var answer = new ManualResetEventSlim();
        await using var cluster = new LuxCluster("a");

        var starting = Task.Run(() => cluster.Start("a", o => o.RaiseFence = (_, stopping) =>
        {
            answer.Wait(stopping);
            return ValueTask.FromResult(1L);
        }));
        var a = await starting.WaitAsync(TimeSpan.FromSeconds(20));
        await Eventually.True(() => a.Current is { AwaitsFence: true, AdmitsWrites: false });

        answer.Set();
        await Eventually.True(() => a.Current is { AwaitsFence: false, AdmitsWrites: true });
    }

    [Fact]
    public async Task A_change_token_fires_when_leadership_moves_and_not_when_the_lease_is_renewed()
    {
        await using var cluster = new LuxCluster("a", "b", "c").StartAll();
        await Eventually.True(() => cluster["a"].Current.AdmitsWrites && cluster["b"].Current.LeaderId == "a");
        var change = cluster["a"].GetChangeToken();
        var before = cluster["a"].Current;

        await Eventually.True(() => !ReferenceEquals(cluster["a"].Current, before));
        Assert.False(change.HasChanged);

        cluster["a"].Election.StepDown(null);
        await Eventually.True(() => change.HasChanged);
    }

    [Fact]
    public async Task Waiting_for_a_leader_ends_with_the_token_or_with_a_leader()
    {
        await using var cluster = new LuxCluster("a", "b", "c");
        var b = cluster.Start("b");
        using var impatient = new CancellationTokenSource();
        var waiting = b.WaitForLeaderAsync(impatient.Token);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);

        var patient = b.WaitForLeaderAsync();
        cluster.Start("c");
        Assert.Equal("b", (await patient).LeaderId);
    }

    [Fact]
    public void A_peer_list_without_a_local_target_is_refused_at_construction()
    {
        var options = new HaOptions { Insecure = true };
        options.Peers.Add("http://b");
        Assert.Contains("BASE_LOCAL_TARGET", Assert.ThrowsAny<Exception>(() => new LuxLeader(options)).Message, StringComparison.Ordinal);
    }
}
