namespace Ha.Testing.Virtual;

/// <summary>
/// Which messages arrive, and when. One that meets a cut link, at its end or its arrival, is lost without a word. Places are the
/// nodes' ids and <see cref="TestCluster.Store"/>. Thread-safe.
/// </summary>
internal sealed class Network(VirtualTime time)
{
    private readonly Lock _lock = new();
    private readonly HashSet<(string From, string To)> _cut = [];
    private readonly Dictionary<(string From, string To), TimeSpan> _delays = [];

    /// <summary>One way.</summary>
    public static TimeSpan UsualDelay { get; } = TimeSpan.FromMilliseconds(1);

    public void Cut(string from, string to)
    {
        lock (_lock)
        {
            _cut.Add((from, to));
        }
    }

    public void Mend(string from, string to)
    {
        lock (_lock)
        {
            _cut.Remove((from, to));
            _delays.Remove((from, to));
        }
    }

    public void MendAll()
    {
        lock (_lock)
        {
            _cut.Clear();
            _delays.Clear();
        }
    }

    public void Delay(string from, string to, TimeSpan delay)
    {
        lock (_lock)
        {
            _delays[(from, to)] = delay;
        }
    }

    public bool IsCut(string from, string to)
    {
        lock (_lock)
        {
            return _cut.Contains((from, to));
        }
    }

    /// <param name="from">The sender.</param>
    /// <param name="to">The receiver.</param>
    /// <param name="life">The receiver's: a stopped process finds it when it wakes up. Null: the store's.</param>
    /// <param name="arrive">Called when it arrives.</param>
    public void Send(string from, string to, NodeLife? life, Action arrive)
    {
        TimeSpan delay;
        lock (_lock)
        {
            if (_cut.Contains((from, to)))
            {
                return;
            }

            delay = _delays.GetValueOrDefault((from, to), UsualDelay);
        }

        time.Plan(delay, life, () =>
        {
            if (!IsCut(from, to))
            {
                arrive();
            }
        });
    }
}
