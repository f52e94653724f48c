using Ha.Testing;
using Ha.Tests.Support;

namespace Ha.Tests.Leadership;

/// <summary>Several leaders by a lease in one process, on the system's clock.</summary>
public sealed class LeaseLeaderTests : IAsyncDisposable
{
    private static readonly TimeSpan _lease = TimeSpan.FromMilliseconds(600);

    private readonly InMemoryLeaseStore _store = new();
    private readonly List<LeaseLeader> _leaders = [];

    [Fact]
    public async Task One_leads_the_others_know_it_and_its_end_is_the_next_one_s_beginning()
    {
        var (a, b) = (Start("a"), Start("b"));
        await Eventually.True(() => _leaders.Count(leader => leader.IsLeader) == 1 && _leaders.TrueForAll(leader => leader.Current.LeaderId is not null));
        var (first, second) = a.IsLeader ? (a, b) : (b, a);
        Assert.Equal($"http://{first.Current.NodeId}.example", second.RedirectTarget);
        Assert.Equal(first.Current.Epoch, second.Current.Epoch);
        var epoch = first.Current.Epoch;

        await first.StopAsync();

        Assert.False(first.IsLeader);
        await Eventually.True(() => second.IsLeader);
        Assert.True(second.Current.Epoch > epoch);
    }

    [Fact]
    public async Task A_leader_steps_down_when_its_writes_are_done_to_whom_it_is_told()
    {
        var (a, b, c) = (Start("a"), Start("b"), Start("c"));
        await Eventually.True(() => _leaders.Exists(leader => leader.IsLeader) && View(a).Members.Count == 3 && View(c).Members.All(m => m.Up));
        var leader = _leaders.Find(leader => leader.IsLeader)!;
        var to = _leaders.FindLast(other => other != leader)!;
        var gate = leader.Control.Gate;
        gate.Enter();

        await Eventually.True(() => leader.TryStepDown(to.Current.NodeId) || leader.Current.Draining);
        await Eventually.True(() => leader.Current.Draining);
        Assert.True(leader.IsLeader);
        Assert.False(to.IsLeader);
        Assert.Equal(HandoffResult.AlreadyRunning, leader.Control.StepDown(null).Result);
        Assert.Equal(HandoffResult.NotLeader, to.Control.StepDown(null).Result);

        gate.Exit();
        await Eventually.True(() => to.IsLeader);
        Assert.False(leader.IsLeader);
    }

    [Fact]
    public async Task While_the_store_is_away_nobody_leads_and_afterwards_somebody_does_in_a_higher_epoch()
    {
        var (a, b) = (Start("a"), Start("b"));
        await Eventually.True(() => a.IsLeader || b.IsLeader);
        var epoch = Math.Max(a.Current.Epoch, b.Current.Epoch);

        _store.IsAway = true;
        await Eventually.True(() => a.Current is { KnowsLeader: false, WhyNobodyLeads: not null } && b.Current is { KnowsLeader: false });
        Assert.Contains("does not answer", a.Current.WhyNobodyLeads, StringComparison.Ordinal);

        _store.IsAway = false;
        await Eventually.True(() => a.IsLeader || b.IsLeader);
        Assert.True(Math.Max(a.Current.Epoch, b.Current.Epoch) > epoch);
    }

    [Fact]
    public async Task A_store_that_hangs_and_does_not_listen_to_its_token_holds_up_nothing()
    {
        var hanging = new HangingStore(_store.Connect());
        var a = Start("a", hanging);
        await Eventually.True(() => a.IsLeader);
        var epoch = a.Current.Epoch;
        hanging.Hangs = true;
        await Eventually.True(() => !a.IsLeader);
        hanging.Hangs = false;
        await Eventually.True(() => a.IsLeader);
        Assert.True(a.Current.Epoch > epoch);
    }

    [Fact]
    public async Task A_store_whose_waits_have_no_end_or_no_duration_holds_up_nothing()
    {
        var endless = new HangingStore(_store.Connect()) { Wait = Task.Delay(Timeout.InfiniteTimeSpan) };
        var hasty = new HangingStore(_store.Connect()) { Wait = Task.CompletedTask };
        var (a, b) = (Start("a", endless), Start("b", hasty));
        await Eventually.True(() => a.IsLeader || b.IsLeader);
        await a.DisposeAsync();
        await b.DisposeAsync();
        Assert.True(endless.IsDisposed && hasty.IsDisposed);
        Assert.InRange(hasty.Waits, 1, 2000);
    }

    [Fact]
    public async Task The_store_ends_with_its_leader()
    {
        var store = new HangingStore(_store.Connect());
        var a = Start("a", store);
        await Eventually.True(() => a.IsLeader);
        await a.DisposeAsync();
        Assert.True(store.IsDisposed);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => a.WaitForLeaderAsync());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var leader in _leaders)
        {
            await leader.DisposeAsync();
        }

        await _store.DisposeAsync();
    }

    private LeaseLeader Start(string id, ILeaseStore? store = null)
    {
        var options = new HaOptions { NodeId = id, LocalTarget = $"http://{id}.example", HeartbeatInterval = _lease / 3 };
        var leader = new LeaseLeader(options, store ?? _store.Connect());
        _leaders.Add(leader);
        leader.SetReady();
        return leader;
    }

    private static ClusterView View(LeaseLeader leader) => leader.Control.View();

    private sealed class HangingStore(InMemoryLeaseStore inner) : ILeaseStore
    {
        public volatile bool Hangs;

        public bool IsDisposed { get; private set; }

        public string Description => inner.Description;

        public async Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken)
        {
            await HangAsync();
            return await inner.ReadAsync(self, cancellationToken);
        }

        public async Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken)
        {
            await HangAsync();
            return await inner.TryWriteAsync(record, expected, self, cancellationToken);
        }

        public Task? Wait { get; init; }

        public int Waits { get; private set; }

        public Task WaitForChangeAsync(CancellationToken cancellationToken)
        {
            Waits++;
            return Wait ?? inner.WaitForChangeAsync(cancellationToken);
        }

        public Task LeaveAsync(LeaseMember self, CancellationToken cancellationToken) => inner.LeaveAsync(self, cancellationToken);

        public ValueTask DisposeAsync()
        {
            IsDisposed = true;
            return inner.DisposeAsync();
        }

        private Task HangAsync() => Hangs ? Task.Delay(Timeout.InfiniteTimeSpan) : Task.CompletedTask;
    }
}
