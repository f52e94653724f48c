using Ha.Election;

namespace Ha.Tests.Election;

/// <summary>A few cores on one clock. Messages move only when a test moves them, or all at once by <see cref="Run"/>.</summary>
internal sealed class Cores
{
    public const long Interval = 100_000;
    public const long Lease = 3 * Interval;
    private const long Delay = 300;
    private readonly ElectionCore[] _cores;
    private readonly string[] _ids;
    private readonly bool _majority;
    private readonly bool _awaitFloor;
    private readonly Dictionary<string, bool> _fixedLeaders = [];
    private int _nonces;

    public Cores(bool majority, bool awaitFloor, params string[] ids)
    {
        (_majority, _awaitFloor, _ids) = (majority, awaitFloor, ids);
        _cores = [.. ids.Select((id, at) => new ElectionCore(Config(at, majority, awaitFloor), Now, Now))];
        foreach (var core in _cores)
        {
            core.SetReady(Now);
        }
    }

    public long Now { get; private set; } = 1_000_000_000;

    /// <summary>Nobody hears them, and they hear nobody.</summary>
    public HashSet<string> Silent { get; } = new(StringComparer.Ordinal);

    public ElectionCore this[string id] => _cores[Array.IndexOf(_ids, id)];

    /// <summary>A new process with an empty memory takes the place of a node.</summary>
    public void Restart(string id)
    {
        var at = Array.IndexOf(_ids, id);
        _cores[at] = new ElectionCore(Config(at, _majority, _awaitFloor), Now, Now);
        _cores[at].SetReady(Now);
    }

    public void Replace(string id, ElectionCore core) => _cores[Array.IndexOf(_ids, id)] = core;

    /// <summary>From now on a node answers that it has a fixed leader, and elects no more; null: it is an ordinary member.</summary>
    public void SetFixedLeader(string id, bool? verified)
    {
        _fixedLeaders.Remove(id);
        if (verified is { } signed)
        {
            _fixedLeaders.Add(id, signed);
        }
    }

    public string[] Leaders => [.. _ids.Where(id => !_fixedLeaders.ContainsKey(id) && this[id].IsLeaderAt(Now))];

    /// <summary>Ticks everybody, and delivers every due message after <see cref="Delay"/>, until the time is over or <paramref name="done"/>.</summary>
    public void Run(long micros, Func<bool>? done = null)
    {
        var end = Now + micros;
        DeliverAll();
        while (Now < end && done?.Invoke() != true)
        {
            Now = Math.Min(end, Math.Max(Now + 1, _cores.Min(core => core.NextDeadline)));
            Array.ForEach(_cores, core => core.Tick(Now, Now));
            DeliverAll();
        }
    }

    /// <summary>Every request of this moment is taken, then every reply, each a delay later.</summary>
    public void DeliverAll()
    {
        var wanted = Wanted();
        for (var round = 0; wanted.Count > 0 && round < 20; round++)
        {
            var sent = wanted.ConvertAll(pair => (pair.From, pair.To, Beat: Beat(pair.From, pair.To)));
            Now += Delay;
            var beats = sent.FindAll(pair => !_fixedLeaders.ContainsKey(pair.To));
            var replies = beats.ConvertAll(beat => (beat.From, beat.To, Reply: Take(beat.To, beat.Beat)));
            Now += Delay;
            replies.ForEach(reply => TakeReply(reply.From, reply.To, reply.Reply));

            // Last, when the votes are in: whoever only finds out while it campaigns has won by then.
            foreach (var (from, to, beat) in sent.Except(beats))
            {
                this[from].MeetFixedLeader(PeerIndex(from, to), beat.Seq, _fixedLeaders[to], Now, "has a fixed leader");
            }

            wanted = Wanted();
        }
    }

    /// <summary>Time passes and nobody looks.</summary>
    public void Sleep(long micros) => Now += micros;

    public ElectionConfig ConfigOf(string id) => Config(Array.IndexOf(_ids, id), _majority, _awaitFloor);

    public Beat Beat(string from, string to) => this[from].CreateBeat(PeerIndex(from, to), Now, Now);

    public BeatReply Take(string to, Beat beat) => this[to].Receive(beat, Now, Now);

    public void TakeReply(string from, string to, BeatReply reply) => this[from].ReceiveReply(PeerIndex(from, to), reply, Now, Now);

    private List<(string From, string To)> Wanted() =>
        [.. from a in _ids.Except(Silent)
            from b in _ids.Except(Silent)
            where a != b && !_fixedLeaders.ContainsKey(a) && this[a].WantsBeat(PeerIndex(a, b))
            select (a, b)];

    private int PeerIndex(string from, string to) => Array.IndexOf([.. _ids.Where(id => id != from)], to);

    private ElectionConfig Config(int at, bool majority, bool awaitFloor) => new()
    {
        ClusterId = "test",
        NodeId = _ids[at],
        Incarnation = Nonce(),
        Target = Url(_ids[at]),
        PublicTarget = Url(_ids[at]),
        Peers = [.. _ids.Where(id => id != _ids[at]).Select(Url)],
        IntervalMicros = Interval,
        LeaseMicros = Lease,
        Majority = majority,
        Preempt = PreemptMode.Never,
        DrainMicros = Lease,
        AwaitEpochFloor = awaitFloor,
        FencePatienceMicros = 2 * Lease,
        Digest = "same",
        NewNonce = Nonce,
    };

    private Guid Nonce() => new(++_nonces, 0, 0, new byte[8]);

    private static string Url(string id) => $"http://{id}";
}
