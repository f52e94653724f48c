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
    private readonly Dictionary<string, (long At, object Version)> _used = new(StringComparer.Ordinal);

    /// <summary>Ends when <paramref name="stopping"/> fires; does not throw.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var change = _node.Provider.GetChangeToken();
        while (!stopping.IsCancellationRequested)
        {
            if (change.HasChanged)
            {
                // Who had to go may be back in another process. Not at once: the failover comes first.
                change = _node.Provider.GetChangeToken();
                _used.Clear();
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
                _used.Remove(member.Target);
            }
            else if (!member.IsSelf && member.Target.Length > 0)
            {
                var url = new Uri(member.Target);
                var version = services.Addresses.VersionOf(url.IdnHost, url.Port);
                if (!_used.TryGetValue(member.Target, out var last)
                    || !ReferenceEquals(last.Version, version)
                    || _node.Clock.GetElapsedTime(last.At) >= _betweenUses)
                {
                    _used[member.Target] = (_node.Clock.GetTimestamp(), version);
                    due.Add(member.Target);
                }
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
