namespace Ha.Client.Routing;

/// <summary>
/// The highest epoch that the nodes have named, by which a leader finds out that it is not the last one. A cluster that was
/// started anew may count from a lower one, and nobody would ever name the highest again: once most nodes have named
/// lower ones for <see cref="Patience"/>, and none the highest, that is forgotten. Thread-safe.
/// </summary>
internal sealed class SeenEpochs(TimeProvider clock)
{
    /// <summary>A node that has not heard of its next leader yet soon has.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly Dictionary<Member, long> _lower = [];
    private long _highest;
    private long _lowerSince;
    private volatile bool _doubted;
    private Member[] _nodes = [];

    /// <summary>0: none is known.</summary>
    public long Highest => Volatile.Read(ref _highest);

    /// <summary>The nodes of which more than half must agree to forget. Others may be one of them by another name, and would count twice.</summary>
    public void Expect(Member[] nodes)
    {
        lock (_lock)
        {
            _nodes = nodes;
            foreach (var gone in _lower.Keys.Except(nodes).ToArray())
            {
                _lower.Remove(gone);
            }
        }
    }

    /// <param name="node">Who says it; must be trusted.</param>
    /// <param name="epoch">Of the leader that it names; 0: that one has none.</param>
    /// <returns>True when the highest is forgotten.</returns>
    public bool Hear(Member node, long epoch)
    {
        if (epoch == Highest && !_doubted)
        {
            return false;
        }

        lock (_lock)
        {
            if (epoch >= _highest)
            {
                Settle(epoch);
                return false;
            }

            if (!_nodes.Contains(node))
            {
                return false;
            }

            if (_lower.Count == 0)
            {
                _lowerSince = clock.GetTimestamp();
            }

            (_lower[node], _doubted) = (epoch, true);

            // By an address of the other family a node would count twice.
            var agreed = _lower.Keys.Count(other => other.IsSpare == node.IsSpare);
            if (2 * agreed <= _nodes.Count(static other => !other.IsSpare) || clock.GetElapsedTime(_lowerSince) < Patience)
            {
                return false;
            }

            Settle(_lower.Values.Max());
            return true;
        }
    }

    private void Settle(long highest)
    {
        Volatile.Write(ref _highest, highest);
        _lower.Clear();
        _doubted = false;
    }
}
