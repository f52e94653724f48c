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
    /// <param name="epoch">What it says; 0: nothing.</param>
    public void Hear(Member node, long epoch)
    {
        if (epoch <= 0 || (epoch == Highest && !_doubted))
        {
            return;
        }

        lock (_lock)
        {
            if (epoch >= _highest)
            {
                Settle(epoch);
                return;
            }

            if (!_nodes.Contains(node))
            {
                return;
            }

            if (_lower.Count == 0)
            {
                _lowerSince = clock.GetTimestamp();
            }

            (_lower[node], _doubted) = (epoch, true);
            if (2 * _lower.Count > _nodes.Length && clock.GetElapsedTime(_lowerSince) >= Patience)
            {
                Settle(_lower.Values.Max());
            }
        }
    }

    private void Settle(long highest)
    {
        Volatile.Write(ref _highest, highest);
        _lower.Clear();
        _doubted = false;
    }
}
