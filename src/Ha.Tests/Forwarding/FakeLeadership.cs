using Microsoft.Extensions.Primitives;

namespace Ha.Tests.Forwarding;

/// <summary>A leader provider that says what the test tells it, and announces it like the real ones.</summary>
internal sealed class FakeLeadership : ILeaderProvider, IDisposable
{
    private readonly Lock _lock = new();
    private readonly TimeProvider _clock;
    private CancellationTokenSource _changed = new();
    private LeaderLease _lease = new();
    private LeadershipSnapshot _current;
    private long _generation;

    public FakeLeadership(string nodeId, TimeProvider? clock = null)
    {
        NodeId = nodeId;
        _clock = clock ?? TimeProvider.System;
        _current = Unknown();
    }

    public string NodeId { get; }

    public bool IsLeader => Current.IsLeader;

    public string? RedirectTarget => Current.LeadsSelf ? null : Current.LeaderUrl;

    public LeadershipSnapshot Current
    {
        get
        {
            lock (_lock)
            {
                return _current;
            }
        }
    }

    public Task Ready => Task.CompletedTask;

    public IChangeToken GetChangeToken()
    {
        lock (_lock)
        {
            return new CancellationChangeToken(_changed.Token);
        }
    }

    public async Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var changed = new TaskCompletionSource();
            using var registration = GetChangeToken().RegisterChangeCallback(static c => ((TaskCompletionSource)c!).TrySetResult(), changed);
            if (Current is { LeaderUrl: not null } known)
            {
                return known;
            }

            await changed.Task.WaitAsync(cancellationToken);
        }
    }

    public FakeLeadership Lead(long epoch = 1, TimeSpan? lease = null, bool admits = true)
    {
        _lease = new LeaderLease();
        Publish(new LeadershipSnapshot(_clock, _clock.GetTimestamp() + Ticks(lease ?? TimeSpan.FromHours(1)))
        {
            NodeId = NodeId,
            LeaderId = NodeId,
            LeaderUrl = "http://self.example",
            LeaderTarget = "http://self.example",
            LeadsSelf = true,
            AdmitsWrites = admits,
            Draining = !admits,
            Epoch = epoch,
            Generation = Interlocked.Increment(ref _generation),
            Lease = _lease,
        });
        return this;
    }

    /// <summary>Same leadership, but new writes are not admitted.</summary>
    public void Drain()
    {
        var now = Current;
        Publish(new LeadershipSnapshot(_clock, _clock.GetTimestamp() + Ticks(TimeSpan.FromHours(1)))
        {
            NodeId = NodeId,
            LeaderId = NodeId,
            LeaderUrl = now.LeaderUrl,
            LeaderTarget = now.LeaderTarget,
            LeadsSelf = true,
            AdmitsWrites = false,
            Draining = true,
            Epoch = now.Epoch,
            Generation = now.Generation,
            Lease = now.Lease,
        });
    }

    public FakeLeadership Follow(string target, long epoch = 1, string? publicUrl = null, string leaderId = "leader")
    {
        Interlocked.Increment(ref _generation);
        Publish(new LeadershipSnapshot(_clock, _clock.GetTimestamp() + Ticks(TimeSpan.FromHours(1)))
        {
            NodeId = NodeId,
            LeaderId = leaderId,
            LeaderUrl = publicUrl ?? target,
            LeaderTarget = target,
            Epoch = epoch,
            Generation = _generation,
        });
        return this;
    }

    public FakeLeadership LoseLeader(string? why = null)
    {
        Interlocked.Increment(ref _generation);
        Publish(Unknown(why));
        return this;
    }

    /// <summary>A new leader before its store knows.</summary>
    public FakeLeadership AwaitFence()
    {
        Publish(new LeadershipSnapshot(_clock, 0) { NodeId = NodeId, AwaitsFence = true, Generation = Interlocked.Increment(ref _generation) });
        return this;
    }

    public void Dispose() => _changed.Dispose();

    private LeadershipSnapshot Unknown(string? why = null) => new(_clock, 0) { NodeId = NodeId, Generation = _generation, WhyNobodyLeads = why };

    private long Ticks(TimeSpan time) => (long)(time.TotalSeconds * _clock.TimestampFrequency);

    private void Publish(LeadershipSnapshot snapshot)
    {
        CancellationTokenSource changed;
        LeadershipSnapshot before;
        lock (_lock)
        {
            before = _current;
            _current = snapshot;
            changed = _changed;
            _changed = new CancellationTokenSource();
        }

        if (before.LeadsSelf && before.Lease != snapshot.Lease)
        {
            before.Lease.End();
        }

        changed.Cancel();
    }
}
