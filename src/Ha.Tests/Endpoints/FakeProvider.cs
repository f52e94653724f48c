using Microsoft.Extensions.Primitives;

namespace Ha.Tests.Endpoints;

/// <summary>Shows whatever snapshot a test puts into it.</summary>
internal sealed class FakeProvider(LeadershipSnapshot first) : ILeaderProvider
{
    public LeadershipSnapshot Current { get; set; } = first;

    public bool IsLeader => Current.IsLeader;

    public string? RedirectTarget => Current.IsLeader ? null : Current.LeaderUrl;

    public Task Ready => Task.CompletedTask;

    public IChangeToken GetChangeToken() => new CancellationChangeToken(CancellationToken.None);

    public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) => Task.FromResult(Current);
}
