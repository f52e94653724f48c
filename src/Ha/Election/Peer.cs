namespace Ha.Election;

/// <summary>A request that was sent and not answered yet.</summary>
internal readonly record struct Outstanding(long Seq, long SentAt, BeatOp Op, long Epoch, long DurationMicros, long Generation);

/// <summary>How a peer's vote stands in the running campaign.</summary>
internal enum VoteState
{
    Pending,
    Granted,
    Refused,
}

/// <summary>What this node knows about one other member. Times are this node's clock.</summary>
internal sealed class Peer(string target)
{
    public const long Never = long.MinValue / 4;
    private const int MaxOutstanding = 4;
    private const int MaxFormer = 16;
    private const long LossMemoryMicros = 600_000_000;
    private readonly Outstanding[] _outstanding = new Outstanding[MaxOutstanding];
    private readonly Queue<long> _losses = new();
    private readonly List<(Guid Incarnation, long LastSeq, long ReplacedAt)> _former = [];

    public string Target { get; } = target;

    public string? Id { get; set; }

    public Guid Incarnation { get; private set; }

    public string PublicTarget { get; set; } = target;

    /// <summary>The highest sequence number taken from this incarnation.</summary>
    public long LastSeq { get; set; }

    public long LastHeard { get; set; } = Never;

    /// <summary>When the last acknowledged request was sent.</summary>
    public long LastAckedSend { get; set; } = Never;

    /// <summary>Its grant ran out without a release: not alive until heard again.</summary>
    public bool Suspect { get; set; }

    public bool Eligible { get; set; }

    public bool Witness { get; set; }

    public bool Quarantined { get; set; }

    /// <inheritdoc cref="NodeFacts.Paused" />
    public bool Paused { get; set; }

    /// <inheritdoc cref="NodeFacts.Unhealthy" />
    public bool Unhealthy { get; set; }

    /// <summary>It wants to lead, as far as it has said.</summary>
    public bool Stands => !Paused && !Unhealthy;

    public NodeRole Role { get; set; }

    public int Reach { get; set; }

    public string? VoteHolder { get; set; }

    public long VoteFreeAt { get; set; } = long.MaxValue;

    public long DefersUntil { get; set; } = Never;

    public long ReleasedSeen { get; set; }

    /// <summary>Until when this peer's promise to this node counts, and the send time of the newest promise.</summary>
    public long AckUntil { get; set; } = Never;

    public long AckSentAt { get; set; } = Never;

    /// <summary>As <see cref="AckUntil"/>, for the higher epoch of a bump only.</summary>
    public long BumpAckUntil { get; set; } = Never;

    public VoteState Vote { get; set; }

    public int VoteRetries { get; set; }

    /// <summary>A request should go out now.</summary>
    public bool Due { get; set; }

    /// <summary>One immediate retry after a 409 in each round, so that two confused nodes cannot spin.</summary>
    public bool Retried { get; set; }

    /// <summary>Issued by this node, waiting to be echoed; kept until used so that replays cannot push it out.</summary>
    public Guid NonceIssued { get; set; }

    /// <summary>Issued by the peer, to be echoed in the next request.</summary>
    public Guid NonceToEcho { get; set; }

    public long RoundTripMicros { get; private set; }

    /// <summary>The peer's wall clock minus this node's monotonic clock.</summary>
    public long WallOffset { get; set; }

    public long DuplicateAt { get; set; } = Never;

    public string? Mismatch { get; set; }

    /// <summary>In words, why the last request got no usable answer; null: it got one.</summary>
    public string? Failure { get; set; }

    /// <summary>What it answered when it was last asked for its vote.</summary>
    public Refusal LastRefusal { get; set; }

    /// <summary>When a process was last heard that another one had replaced, and when the replacement was told.</summary>
    public long TwinAt { get; set; } = Never;

    public long TwinToldAt { get; set; } = Never;

    public long HealthySince { get; set; } = long.MaxValue;

    public bool WasUp { get; set; }

    public bool Knows(Guid incarnation) => Id is not null && Incarnation == incarnation;

    public bool IsAlive(long now, long leaseMicros) => !Suspect && WasHeard(now, leaseMicros);

    /// <summary>Heard lately, suspect or not: off mode must ask whoever may be there.</summary>
    public bool WasHeard(long now, long leaseMicros) => now - LastHeard < leaseMicros;

    public bool IsReached(long now, long leaseMicros) =>
        now - LastHeard < leaseMicros && now - LastAckedSend < leaseMicros;

    /// <summary>The newest own request that the present incarnation answered: an answer to an older one says nothing new.</summary>
    public long ConfirmedSeq { get; set; }

    /// <summary>
    /// True for an incarnation that another one replaced. Only the answer to a newer request brings it back: replies
    /// of two processes may arrive in the wrong order, so the one taken for dead may be the one that lives.
    /// </summary>
    public bool IsFormer(Guid incarnation) => SeqOfFormer(incarnation) is not null;

    /// <summary>Adopts a fresh incarnation: what was remembered of the old process is void.</summary>
    public void Adopt(string id, Guid incarnation, long now)
    {
        if (Incarnation != incarnation && Id is not null)
        {
            _former.Add((Incarnation, LastSeq, now));
            if (_former.Count > MaxFormer)
            {
                _former.RemoveAt(0);
            }
        }

        Id = id;
        Incarnation = incarnation;
        LastSeq = SeqOfFormer(incarnation) ?? 0;
        ReleasedSeen = 0;
        NonceIssued = default;
        Eligible = false;
        VoteHolder = null;
        VoteFreeAt = long.MaxValue;
        DefersUntil = Never;
        LastHeard = Never;
        LastAckedSend = Never;
    }

    /// <summary>
    /// True for a new request of an incarnation that was replaced before <paramref name="replacedBefore"/>. Once only: whoever
    /// repeats a captured one could raise the alarm for as long as he likes.
    /// </summary>
    public bool HearFormer(Guid incarnation, long seq, long replacedBefore)
    {
        var last = _former.FindLastIndex(former => former.Incarnation == incarnation);
        if (last < 0 || _former[last].ReplacedAt > replacedBefore || SeqOfFormer(incarnation) >= seq)
        {
            return false;
        }

        _former[last] = _former[last] with { LastSeq = seq };
        return true;
    }

    private long? SeqOfFormer(Guid incarnation)
    {
        long? seq = null;
        foreach (var former in _former)
        {
            seq = former.Incarnation == incarnation ? Math.Max(seq ?? 0, former.LastSeq) : seq;
        }

        return seq;
    }

    public void ClearPromises()
    {
        AckUntil = Never;
        AckSentAt = Never;
        BumpAckUntil = Never;
    }

    public void Remember(Outstanding request)
    {
        var oldest = 0;
        for (var i = 1; i < MaxOutstanding; i++)
        {
            if (_outstanding[i].Seq < _outstanding[oldest].Seq)
            {
                oldest = i;
            }
        }

        _outstanding[oldest] = request;
    }

    /// <summary>Finds and forgets a request: every reply counts once.</summary>
    public bool TryTake(long seq, out Outstanding request)
    {
        for (var i = 0; i < MaxOutstanding; i++)
        {
            if (seq > 0 && _outstanding[i].Seq == seq)
            {
                request = _outstanding[i];
                _outstanding[i] = default;
                return true;
            }
        }

        request = default;
        return false;
    }

    /// <summary>
    /// Slower ones count slowly, a faster one at once: the first round trips of a process pay for the connection and
    /// for cold code, and would keep a good node from campaigning for seconds. A single one raises the measure by an
    /// eighth at most: it is about the network, and one stall of a busy machine says nothing of that.
    /// </summary>
    public void MeasureRoundTrip(long micros) =>
        RoundTripMicros = RoundTripMicros == 0 || micros < RoundTripMicros
            ? micros
            : (7 * RoundTripMicros + Math.Min(micros, 2 * RoundTripMicros) + 7) / 8;

    public void CountLoss(long now)
    {
        HealthySince = long.MaxValue;
        _losses.Enqueue(now);
        if (_losses.Count > 16)
        {
            _losses.Dequeue();
        }
    }

    /// <summary>How often this peer was lost in the last ten minutes (at most 16).</summary>
    public int RecentLosses(long now)
    {
        while (_losses.TryPeek(out var at) && now - at > LossMemoryMicros)
        {
            _losses.Dequeue();
        }

        return _losses.Count;
    }
}
