namespace Ha.Election;

/// <summary>One process run of one node. The same id with a new incarnation is a different holder.</summary>
internal readonly record struct Holder(string Id, Guid Incarnation);

/// <summary>A voter's answer; <paramref name="RemainingMicros"/> says when a passing refusal ends.</summary>
internal readonly record struct VoteAnswer(bool Granted, Refusal Refusal, long RemainingMicros)
{
    public static VoteAnswer Yes => new(true, Refusal.None, 0);

    public static VoteAnswer No(Refusal refusal, long remainingMicros = 0) => new(false, refusal, remainingMicros);
}

/// <summary>
/// The one vote of this node: at most one holder at a time, promised for a duration, forgotten by a crash, which is
/// why a new instance starts in quarantine. In off mode, where no lease rests on a majority's memory, quarantine only
/// means that this node does not ask for itself: it may vote for others at once.
/// </summary>
internal sealed class Voter(long quarantineUntil, long deferMicros, long maxDurationMicros, bool votesInQuarantine)
{
    private long _freeSince = quarantineUntil;
    private long _floorBeforeGrant;
    private long _freeSinceBeforeGrant;
    private bool _cancellable;

    public Holder? Holder { get; private set; }

    public long Epoch { get; private set; }

    public long Until { get; private set; }

    /// <summary>The highest epoch ever granted and not cancelled.</summary>
    public long Floor { get; private set; }

    /// <summary>The highest epoch whose grant was released here.</summary>
    public long Tomb { get; private set; }

    public long QuarantineUntil { get; private set; } = quarantineUntil;

    /// <summary>The successor named by the last release seen here: nobody else is deferred to while it asks.</summary>
    public string? Successor { get; private set; }

    /// <summary>Until when a lower NodeID may be preferred while the vote is free.</summary>
    public long DefersUntil => _freeSince + deferMicros;

    public bool IsQuarantined(long now) => now < QuarantineUntil;

    public bool IsFree(long now) => Holder is null && !IsQuarantined(now);

    /// <summary>Rule 2: quarantine is only ever extended. The vote counts as free from its end on.</summary>
    public void ExtendQuarantine(long until)
    {
        QuarantineUntil = Math.Max(QuarantineUntil, until);
        _freeSince = Math.Max(_freeSince, QuarantineUntil);
    }

    /// <summary>Rule 1. Returns the holder whose grant ran out without a release.</summary>
    public Holder? Expire(long now)
    {
        if (Holder is not { } expired || now < Until)
        {
            return null;
        }

        Free(Until);
        return expired;
    }

    /// <summary>Rules 2 to 6. Deferring (rule 6) is the caller's judgement, its time limit is kept here.</summary>
    public VoteAnswer Ask(BeatOp op, Holder asker, long epoch, long durationMicros, long now, bool deferToLower)
    {
        if (IsQuarantined(now) && !votesInQuarantine)
        {
            return VoteAnswer.No(Refusal.Quarantined, QuarantineUntil - now);
        }

        var until = now + Math.Min(durationMicros, maxDurationMicros);
        if (Holder is { } holder)
        {
            if (holder != asker)
            {
                return VoteAnswer.No(Refusal.Held, Until - now);
            }

            if (epoch < Epoch)
            {
                return VoteAnswer.No(Refusal.EpochTooLow);
            }

            _cancellable &= op == BeatOp.Acquire && epoch == Epoch;
            Promise(asker, epoch, Math.Max(Until, until));
            return VoteAnswer.Yes;
        }

        if (epoch <= Tomb || epoch < Floor || (op == BeatOp.Acquire && epoch == Floor))
        {
            return VoteAnswer.No(Refusal.EpochTooLow);
        }

        if (op == BeatOp.Acquire && deferToLower && now < DefersUntil && Successor != asker.Id)
        {
            return VoteAnswer.No(Refusal.Deferred, DefersUntil - now);
        }

        (_floorBeforeGrant, _freeSinceBeforeGrant) = (Floor, _freeSince);
        _cancellable = op == BeatOp.Acquire;
        Promise(asker, epoch, until);
        return VoteAnswer.Yes;
    }

    /// <summary>Rule 7: a release never frees a grant with a higher epoch than it names.</summary>
    public bool Release(Holder holder, long upToEpoch, string? successor, long now)
    {
        if (Holder is null)
        {
            Successor = successor;
        }

        if (Holder != holder || Epoch > upToEpoch)
        {
            return false;
        }

        Tomb = Math.Max(Tomb, upToEpoch);
        Free(now);
        Successor = successor;
        return true;
    }

    /// <summary>
    /// Rule 7: undoes a grant that never became a leadership, the raised floor included; otherwise one failed candidate
    /// would leave every voter refusing the epochs of a leader that is still alive.
    /// </summary>
    public bool Cancel(Holder holder, long epoch)
    {
        if (Holder != holder || Epoch != epoch || !_cancellable)
        {
            return false;
        }

        Free(_freeSinceBeforeGrant);
        Floor = _floorBeforeGrant;
        return true;
    }

    /// <summary>True when <see cref="Cancel"/> of <paramref name="holder"/>'s candidacy would make room for <paramref name="epoch"/>.</summary>
    public bool WouldGrantAfterCancel(Holder holder, long epoch) =>
        Holder == holder && _cancellable && epoch > Tomb && epoch > _floorBeforeGrant;

    private void Promise(Holder holder, long epoch, long until)
    {
        Holder = holder;
        Epoch = epoch;
        Until = until;
        Floor = Math.Max(Floor, epoch);
        Successor = null;
    }

    private void Free(long since)
    {
        Holder = null;
        Epoch = 0;
        Until = 0;
        _freeSince = since;
        _cancellable = false;
        Successor = null;
    }
}
