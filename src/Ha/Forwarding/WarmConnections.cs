using Ha.Leadership;

namespace Ha.Forwarding;

/// <summary>
/// Keeps a connection to each member that is up, so that whoever wins next is reached without connecting, and without a handshake
/// where members use TLS. Heartbeats have connections of their own. One small request for each member in half a minute.
/// </summary>
/// <param name="services">Whose forwarder keeps the connections.</param>
/// <param name="control">Knows the members.</param>
internal sealed class WarmConnections(ForwardingServices services, ILeadershipControl control)
{
    private static readonly TimeSpan _betweenLooks = TimeSpan.FromSeconds(1);

    // The handler closes a connection that was idle for a minute, Kestrel one after two.
    private static readonly TimeSpan _betweenUses = TimeSpan.FromSeconds(30);

    private readonly HaNode _node = services.Node;
    private readonly Dictionary<string, long> _usedAt = new(StringComparer.Ordinal);

    /// <summary>Ends when <paramref name="stopping"/> fires; does not throw.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var change = _node.Provider.GetChangeToken();
        var version = services.Addresses.Version;
        while (!stopping.IsCancellationRequested)
        {
            if (change.HasChanged || !ReferenceEquals(version, services.Addresses.Version))
            {
                // Who had to go may be back in another process or elsewhere. Not at once: the failover comes first.
                version = services.Addresses.Version;
                change = _node.Provider.GetChangeToken();
                _usedAt.Clear();
            }
            else
            {
                await Task.WhenAll(Due().Select(target => UseAsync(target, stopping)));
            }

            await Task.Delay(_betweenLooks, _node.Clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private List<string> Due()
    {
        var due = new List<string>();
        foreach (var member in control.View().Members)
        {
            if (!member.Up)
            {
                _usedAt.Remove(member.Target);
            }
            else if (!member.IsSelf && member.Target.Length > 0
                && !(_usedAt.TryGetValue(member.Target, out var at) && _node.Clock.GetElapsedTime(at) < _betweenUses))
            {
                _usedAt[member.Target] = _node.Clock.GetTimestamp();
                due.Add(member.Target);
            }
        }

        return due;
    }

    private async Task UseAsync(string target, CancellationToken stopping)
    {
        try
        {
            using var limit = new CancellationTokenSource(_betweenUses / 2, _node.Clock);
            using var over = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
            await services.Forwarder.KeepWarmAsync(target, over.Token);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A write that finds no connection opens one.
        }
    }
}
