namespace Ha.Forwarding.Proxy;

/// <summary>
/// The host names under which gRPC calls go to a leader behind TLS. The handler keeps connections for each of them apart, so
/// whoever makes up names would make up connections; those beyond <see cref="Most"/> at a time share the leader's own. Thread-safe.
/// </summary>
internal sealed class PooledHosts(TimeProvider clock)
{
    public const int Most = 32;

    // Longer than the handler keeps a connection that nobody uses.
    private static readonly TimeSpan _forgottenAfter = TimeSpan.FromMinutes(2);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _lastUsed = new(StringComparer.Ordinal);

    /// <param name="host">As the client has it, without a port.</param>
    /// <returns>False: the call goes under the leader's own name.</returns>
    public bool Admits(string host)
    {
        var now = clock.GetTimestamp();
        lock (_lock)
        {
            if (!_lastUsed.ContainsKey(host) && _lastUsed.Count == Most)
            {
                foreach (var (name, used) in _lastUsed)
                {
                    if (clock.GetElapsedTime(used, now) > _forgottenAfter)
                    {
                        _lastUsed.Remove(name);
                    }
                }

                if (_lastUsed.Count == Most)
                {
                    return false;
                }
            }

            _lastUsed[host] = now;
            return true;
        }
    }
}
