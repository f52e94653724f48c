using Microsoft.Extensions.Primitives;

namespace Ha.Tests.Hosting;

/// <summary>Leadership as a test wants it, published the way the real one is: first the snapshot, then the tokens.</summary>
internal sealed class TestLeader : ILeaderProvider, IDisposable
{
    private CancellationTokenSource _changed = new();
    private LeaderLease _lease = new();

    public TestLeader() => Current = Snapshot(leads: false, admits: false, epoch: 0);

    public LeadershipSnapshot Current { get; private set; }

    public bool IsLeader => Current.IsLeader;

    public string? RedirectTarget => null;

    public Task Ready => Task.CompletedTask;

    public IChangeToken GetChangeToken() => new CancellationChangeToken(_changed.Token);

    public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) => Task.FromResult(Current);

    public void Dispose() => _changed.Dispose();

    public void Lead(long epoch)
    {
        EndLease();
        Publish(Snapshot(leads: true, admits: true, epoch));
    }

    public void CloseGate() => Publish(Snapshot(leads: true, admits: false, Current.Epoch));

    public void OpenGate() => Publish(Snapshot(leads: true, admits: true, Current.Epoch));

    public void Lose()
    {
        EndLease();
        Publish(Snapshot(leads: false, admits: false, epoch: 0));
    }

    private void EndLease()
    {
        var ended = _lease;
        ended.End();
        _lease = new LeaderLease();
    }

    private void Publish(LeadershipSnapshot next)
    {
        Current = next;
        var fired = _changed;
        _changed = new CancellationTokenSource();
        fired.Cancel();
    }

    private LeadershipSnapshot Snapshot(bool leads, bool admits, long epoch) => new(TimeProvider.System, long.MaxValue)
    {
        NodeId = "n1",
        LeadsSelf = leads,
        AdmitsWrites = admits,
        Draining = leads && !admits,
        LeaderId = leads ? "n1" : null,
        Epoch = epoch,
        Lease = _lease,
    };
}
