namespace Ha.Tests.Simulation;

/// <summary>
/// Directed links that delay, lose, duplicate, reorder, clog and break. Faults are kept as "until" instants per link,
/// so that overlapping faults need no bookkeeping and healing is one step.
/// </summary>
internal sealed class Network(World world, int nodes, long delayMin, long delayMax)
{
    private readonly long[] _cutUntil = new long[nodes * nodes];
    private readonly long[] _clogUntil = new long[nodes * nodes];
    private readonly long[] _lossyUntil = new long[nodes * nodes];

    public long DelayMin { get; } = delayMin;
    public long DelayMax { get; } = delayMax;
    public int DuplicatePermille { get; set; }
    public int SlowPermille { get; set; }
    public long SlowMax { get; set; }

    /// <summary>Scripted treatment of single messages; only scenarios set it.</summary>
    public MessageRules? Rules { get; set; }

    public bool Healthy(int from, int to) =>
        _cutUntil[from * nodes + to] <= world.Now && _clogUntil[from * nodes + to] <= world.Now
        && _lossyUntil[from * nodes + to] <= world.Now;

    public void Cut(int from, int to, long until) => Raise(_cutUntil, from, to, until);

    /// <summary>Messages wait on the link and arrive in a burst when it opens again.</summary>
    public void Clog(int from, int to, long until) => Raise(_clogUntil, from, to, until);

    public void MakeLossy(int from, int to, long until) => Raise(_lossyUntil, from, to, until);

    public void Mend(int from, int to)
    {
        _cutUntil[from * nodes + to] = 0;
        _clogUntil[from * nodes + to] = 0;
        _lossyUntil[from * nodes + to] = 0;
    }

    /// <summary>All links work from now on; messages that are still under way arrive as late as they were fated to.</summary>
    public void Heal()
    {
        Array.Clear(_cutUntil);
        Array.Clear(_clogUntil);
        Array.Clear(_lossyUntil);
        DuplicatePermille = 0;
        SlowPermille = 0;
    }

    public void Carry(int from, in SimEvent message)
    {
        if (Rules is { } rules && rules.Takes(from, message))
            return;

        int link = from * nodes + message.Node;
        if (_cutUntil[link] > world.Now)
        {
            Lost(from, message, "the link is cut");
            return;
        }

        if (_lossyUntil[link] > world.Now && world.Random.Chance(500))
        {
            Lost(from, message, "packet loss");
            return;
        }

        Arrive(link, message);
        if (world.Random.Chance(DuplicatePermille))
            Arrive(link, message);
    }

    /// <summary>Delivers after the ordinary delay, past all rules and faults.</summary>
    public void Deliver(in SimEvent message, long extraDelay) =>
        world.Schedule(world.Now + extraDelay + Delay(), message);

    public long Delay() => world.Random.Between(DelayMin, DelayMax);

    private void Arrive(int link, in SimEvent message)
    {
        long delay = Delay();
        if (world.Random.Chance(SlowPermille))
            delay += world.Random.Between(0, SlowMax);

        world.Schedule(Math.Max(world.Now, _clogUntil[link]) + delay, message);
    }

    private void Lost(int from, in SimEvent message, string why)
    {
        if (world.Trace.On && SimStory.Tell(message) is { } text)
            world.Trace.Line(world.Now, world.Nodes[from].Name, $"{text} to {world.Nodes[message.Node].Name} is lost: {why}");
    }

    private void Raise(long[] links, int from, int to, long until)
    {
        if (from != to)
            links[from * nodes + to] = Math.Max(links[from * nodes + to], until);
    }
}
