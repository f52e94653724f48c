using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Primitives;

namespace Ha.Tests.Endpoints;

/// <summary>Shows whatever snapshot a test puts into it, and announces it.</summary>
[SuppressMessage("Design", "CA1001", Justification = "A source without a timer holds nothing.")]
internal sealed class FakeProvider(LeadershipSnapshot first) : ILeaderProvider
{
    private LeadershipSnapshot _current = first;
    private CancellationTokenSource _changed = new();

    public LeadershipSnapshot Current
    {
        get => Volatile.Read(ref _current);
        set
        {
            Volatile.Write(ref _current, value);
            Interlocked.Exchange(ref _changed, new CancellationTokenSource()).Cancel();
        }
    }

    public bool IsLeader => Current.IsLeader;

    public string? RedirectTarget => Current.IsLeader ? null : Current.LeaderUrl;

    public Task Ready => Task.CompletedTask;

    public IChangeToken GetChangeToken() => new CancellationChangeToken(Volatile.Read(ref _changed).Token);

    public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) => Task.FromResult(Current);
}
