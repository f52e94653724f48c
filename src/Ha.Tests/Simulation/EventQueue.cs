namespace Ha.Tests.Simulation;

internal enum SimEventKind : byte
{
    /// <summary>A request reaches <c>Node</c>; node <c>Peer</c> sent it, which knows it as its peer <c>Number</c>.</summary>
    Request,

    /// <summary>The answer to a request to <c>Node</c>'s peer <c>Peer</c> reaches <c>Node</c>.</summary>
    Reply,

    /// <summary>The owner's timer fires.</summary>
    Wake,

    /// <summary>The owner gives up on the request <c>Number</c> to <c>Peer</c>.</summary>
    GiveUp,

    /// <summary>A handler is done and wants to commit.</summary>
    Commit,

    /// <summary>A handler has returned.</summary>
    Leave,

    /// <summary>The application's answer to "which epoch is the highest in your database" arrives.</summary>
    FloorKnown,

    /// <summary>The application listens.</summary>
    Ready,

    /// <summary>Everything else: the body is an <see cref="Action"/> that no pause holds back.</summary>
    Call,
}

/// <summary>Something that happens at one instant. <c>Life</c> ties it to one process; 0 means any.</summary>
internal readonly record struct SimEvent(
    SimEventKind Kind, int Node, int Life = 0, int Peer = 0, long Number = 0, object? Body = null);

/// <summary>A binary heap ordered by time, then by order of insertion, so that equal times replay equally.</summary>
internal sealed class EventQueue
{
    private Entry[] _entries = new Entry[256];
    private long _inserted;

    public int Count { get; private set; }

    public long NextTime => Count == 0 ? long.MaxValue : _entries[0].Time;

    public void Add(long time, in SimEvent what)
    {
        if (Count == _entries.Length)
            Array.Resize(ref _entries, Count * 2);

        var entry = new Entry(time, _inserted++, what);
        int at = Count++;
        while (at > 0)
        {
            int parent = (at - 1) / 2;
            if (!entry.Before(_entries[parent]))
                break;

            _entries[at] = _entries[parent];
            at = parent;
        }

        _entries[at] = entry;
    }

    public SimEvent Take(out long time)
    {
        var first = _entries[0];
        var last = _entries[--Count];
        _entries[Count] = default;
        int at = 0;
        while (true)
        {
            int child = 2 * at + 1;
            if (child >= Count)
                break;

            if (child + 1 < Count && _entries[child + 1].Before(_entries[child]))
                child++;

            if (!_entries[child].Before(last))
                break;

            _entries[at] = _entries[child];
            at = child;
        }

        if (Count > 0)
            _entries[at] = last;

        time = first.Time;
        return first.What;
    }

    private readonly record struct Entry(long Time, long Order, SimEvent What)
    {
        public bool Before(in Entry other) => Time < other.Time || (Time == other.Time && Order < other.Order);
    }
}
