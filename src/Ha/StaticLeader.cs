using Ha.Http;
using Microsoft.Extensions.Primitives;

namespace Ha;

/// <summary>
/// A leader that never changes: this node or a fixed other one. No election, no lease, epoch 0. Immutable and
/// thread-safe.
/// </summary>
public sealed class StaticLeader : ILeaderProvider
{
    private static readonly IChangeToken _never = new CancellationChangeToken(CancellationToken.None);

    /// <param name="nodeId">This node's id.</param>
    /// <param name="leaderUrl">The leader's base URL, or null when this node leads and has none.</param>
    /// <param name="localTarget">This node's base URL; equal to <paramref name="leaderUrl"/>, this node is the leader.</param>
    /// <exception cref="ArgumentException">A URL is not an absolute http or https base URL.</exception>
    public StaticLeader(string nodeId, string? leaderUrl = null, string? localTarget = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(nodeId);
        var leader = Normalise(leaderUrl, nameof(leaderUrl));
        var leads = leader is null || leader == Normalise(localTarget, nameof(localTarget));
        Current = new LeadershipSnapshot(TimeProvider.System, long.MaxValue)
        {
            NodeId = nodeId,
            LeadsSelf = leads,
            AdmitsWrites = leads,
            LeaderId = leads ? nodeId : leader,
            LeaderUrl = leader,
            LeaderTarget = leader,
        };
    }

    /// <inheritdoc />
    public bool IsLeader => Current.IsLeader;

    /// <inheritdoc />
    public string? RedirectTarget => Current.RedirectTarget;

    /// <inheritdoc />
    public LeadershipSnapshot Current { get; }

    /// <inheritdoc />
    public Task Ready => Task.CompletedTask;

    /// <inheritdoc />
    public IChangeToken GetChangeToken() => _never;

    /// <inheritdoc />
    public Task<LeadershipSnapshot> WaitForLeaderAsync(CancellationToken cancellationToken = default) =>
        cancellationToken.IsCancellationRequested
            ? Task.FromCanceled<LeadershipSnapshot>(cancellationToken)
            : Task.FromResult(Current);

    private static string? Normalise(string? url, string parameter)
    {
        if (url is null)
        {
            return null;
        }

        return TargetUrl.TryNormalise(url, out var normalised, out var error)
            ? normalised
            : throw new ArgumentException(error, parameter);
    }
}
