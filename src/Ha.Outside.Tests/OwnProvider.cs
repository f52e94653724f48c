using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Ha.Outside.Tests;

/// <summary>A provider as somebody else would write it: told who leads, it hands over when the writes are done.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "Its sources have neither a timer nor a wait handle.")]
internal sealed class OwnProvider(string nodeId) : ILeaderProvider, ILeadershipControl
{
    private CancellationTokenSource _changed = new();
    private LeaderLease? _lease;

    public LeadershipSnapshot Current { get; private set; } = LeadershipSnapshot.Nobody(nodeId, "nobody has been told to lead");

    public bool IsLeader => Current.IsLeader;

    public string? RedirectTarget => Current.IsLeader ? null : Current.LeaderUrl;

    public Task Ready => Task.CompletedTask;

    public ILeadershipControl Control => this;

    public WriteGate Gate { get; } = new();

    public RequestDelegate? Heartbeat => null;

    public bool Listens { get; private set; }

    public List<long> FenceChecks { get; } = [];

    public void Lead(long epoch)
    {
        _lease = new LeaderLease();
        Publish(LeadershipSnapshot.Leader(nodeId, epoch, _lease, "http://self.example"));
    }

    public void Follow(string leaderId, string url, long epoch)
    {
        _lease?.End();
        Publish(LeadershipSnapshot.Follower(nodeId, leaderId, url, epoch));
    }

    public IChangeToken GetChangeToken() => new CancellationChangeToken(_changed.Token);

    public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) =>
        UntilAsync(now => now.LeaderId is not null, cancellationToken);

    public async Task<LeadershipSnapshot> UntilAsync(Func<LeadershipSnapshot, bool> wanted, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var token = GetChangeToken();
            if (Current is var now && wanted(now))
            {
                return now;
            }

            var changed = new TaskCompletionSource();
            using var registration = token.RegisterChangeCallback(_ => changed.TrySetResult(), null);
            await changed.Task.WaitAsync(cancellationToken);
        }
    }

    public ClusterView View() => new([], "own", Current);

    public void SetReady() => Listens = true;

    public HandoffStart StepDown(string? toNodeId)
    {
        if (!IsLeader)
        {
            return new HandoffStart(HandoffResult.NotLeader);
        }

        Publish(LeadershipSnapshot.Leader(nodeId, Current.Epoch, _lease!, "http://self.example", admitsWrites: false));
        _ = FollowWhenEmptyAsync(toNodeId ?? "other");
        return new HandoffStart(HandoffResult.Accepted, toNodeId ?? "other");
    }

    public async Task<bool> HandOffAsync(CancellationToken cancellationToken)
    {
        if (!IsLeader)
        {
            return false;
        }

        Publish(LeadershipSnapshot.Leader(nodeId, Current.Epoch, _lease!, admitsWrites: false));
        await FollowWhenEmptyAsync("other");
        return true;
    }

    public void CheckFence(long epoch) => FenceChecks.Add(epoch);

    private async Task FollowWhenEmptyAsync(string leaderId)
    {
        await Gate.WhenEmptyAsync();
        Follow(leaderId, $"http://{leaderId}.example", Current.Epoch + 1);
    }

    private void Publish(LeadershipSnapshot next)
    {
        Current = next;
        var changed = _changed;
        _changed = new CancellationTokenSource();
        changed.Cancel();
    }
}
