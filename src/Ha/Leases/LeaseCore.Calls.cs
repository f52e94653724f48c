using Ha.Election;

namespace Ha.Leases;

/// <summary>What is asked of the store and when, one call at a time, and what follows from its answers.</summary>
internal sealed partial class LeaseCore
{
    private const long MinMarginMicros = 10_000;

    private Outstanding? _outstanding;
    private long _calls;
    private long _lastCallAt = Peer.Never;
    private long _pollAt;
    private long _retryAt = Peer.Never;
    private bool _woken;
    private int _failures;
    private string? _trouble;

    private enum CallKind
    {
        Read,
        Claim,
        Renew,
        Release,
    }

    /// <summary>The store's trouble in words, from the second call in a row that failed to the first that is answered.</summary>
    public string? StoreTrouble => _failures < 2 ? null : _trouble;

    /// <inheritdoc cref="LeaseConfig.CallTimeoutMicros" />
    public long CallTimeoutMicros => _config.CallTimeoutMicros;

    /// <summary>
    /// The next call to make; null while one is outstanding or none is due. What it may win counts from now, before anything
    /// is serialised. The owner owes <see cref="Answered"/> or <see cref="Failed"/> within <see cref="CallTimeoutMicros"/>.
    /// </summary>
    public StoreCall? TakeCall(long now, long wall)
    {
        Advance(now, wall);
        now = _lastNow;
        if (_outstanding is not null)
        {
            return null;
        }

        var (at, kind) = NextCall(now);
        if (now < at)
        {
            return null;
        }

        var write = kind switch
        {
            CallKind.Renew => Held(_bumpEpoch != 0 ? _bumpEpoch : Epoch),
            CallKind.Claim => BeginClaim(wall),
            CallKind.Release => Free(_lastProposed, TimeSpan.Zero, _successor),
            _ => null,
        };
        var call = new StoreCall(++_calls, _self with { Eligible = IsEligible(now) }, write, write is null ? null : _seen.Version);
        _outstanding = new Outstanding(call, kind, now, Generation);
        (_woken, _lastCallAt) = (false, now);
        if (write?.HolderId is not null && _unanswered.Count < MaxUnanswered && !_unanswered.Contains(write.Epoch))
        {
            _unanswered.Add(write.Epoch);
        }

        NextDeadline = ComputeDeadline(now);
        return call;
    }

    /// <summary>The store's answer to the call; that to any but the outstanding one is ignored.</summary>
    public void Answered(long id, LeaseAnswer answer, long now, long wall)
    {
        if (_outstanding is not { } sent || sent.Call.Id != id)
        {
            return;
        }

        if (answer.Version is null != answer.Record is null || (answer.Written && (answer.Version is null || sent.Call.Write is null)))
        {
            Failed(id, "the store's answer contradicts itself", now, wall);
            return;
        }

        Advance(now, wall); // what has run out while the answer was under way stays so
        now = _lastNow;
        _outstanding = null;
        _retryAt = Peer.Never;
        if (StoreTrouble is not null)
        {
            Report(ElectionEventKind.StoreBack, null, 0, $"{_config.StoreDescription} answers again");
        }

        _failures = 0;
        var changed = See(sent.Call, answer, now);
        LearnMembers(answer.Members, now);
        if (sent.Call.Write is not null && !answer.Written && !changed)
        {
            // Refused though nothing was in the way: by something else than a rival.
            _retryAt = sent.At + _config.LeaseMicros / 12;
        }

        var current = sent.Generation == Generation;
        if (Role == NodeRole.Leader && !_seen.Mine)
        {
            GiveUp(now, null, ElectionEventKind.LeadershipLapsed, $"the lease is not this node's any more: {AboutRecord()}");
        }
        else if (sent.Kind == CallKind.Renew && Role == NodeRole.Leader && current)
        {
            RenewalAnswered(sent, answer.Written, changed, now);
        }
        else if (sent.Kind == CallKind.Claim)
        {
            ClaimAnswered(sent, answer.Written, current, now);
        }

        _pollAt = now + NextPollIn(answer.Age, now);
        Advance(now, wall);
    }

    /// <summary>The call failed or took too long: it may still take effect, and its answer is not looked at any more.</summary>
    /// <param name="id">Of the call.</param>
    /// <param name="why">A few words that anybody may see.</param>
    /// <param name="now">Lease clock.</param>
    /// <param name="wall">Wall clock.</param>
    public void Failed(long id, string why, long now, long wall)
    {
        if (_outstanding is not { } sent || sent.Call.Id != id)
        {
            return;
        }

        Advance(now, wall);
        now = _lastNow;
        _outstanding = null;
        _trouble = why;
        if (++_failures == 2)
        {
            Report(ElectionEventKind.StoreAway, null, 0, $"{_config.StoreDescription}: {why}");
        }

        if (Role == NodeRole.Candidate && sent.Generation == Generation)
        {
            BecomeFollower();
        }

        // Counted from when it was sent: after a call that hung the next one goes at once.
        _retryAt = sent.At + (long)(_config.LeaseMicros / 12 * (1 + _config.Jitter()));
        _pollAt = now;
        Advance(now, wall);
    }

    /// <summary>The store says that the record may have changed.</summary>
    public void Woken(long now)
    {
        _woken = true;
        Advance(now, WallAt(now));
    }

    private (long At, CallKind Kind) NextCall(long now)
    {
        if (Role == NodeRole.Leader)
        {
            // While the lease runs out on purpose, reading shows who is there to take it.
            return _handoff.Phase == HandoffPhase.Lapsing
                ? (Math.Max(_pollAt, _retryAt), CallKind.Read)
                : (Math.Max(_renewAt, _retryAt), CallKind.Renew);
        }

        if (_releaseUntil > now)
        {
            return (_retryAt, CallKind.Release);
        }

        var poll = _woken ? Math.Min(_pollAt, _lastCallAt + _config.LeaseMicros / 30) : _pollAt;
        var claim = ClaimAt(now);
        return claim <= Math.Max(poll, now) ? (Math.Max(claim, _retryAt), CallKind.Claim) : (Math.Max(poll, _retryAt), CallKind.Read);
    }

    /// <summary>
    /// Just after the leader's next renewal should be there, so that it is seen soon after it was made. A renewal that should
    /// have been there and was not is looked for twice as often.
    /// </summary>
    private long NextPollIn(TimeSpan? age, long now)
    {
        if (_seen.State != LeaseState.Held)
        {
            return _config.IntervalMicros;
        }

        var margin = Math.Max(MinMarginMicros, _config.LeaseMicros / 30);
        var old = age is { } told ? Math.Max(0, (long)told.TotalMicroseconds) : now - _seen.Since;
        var expected = Micros(_seen.Record!.Duration) / 3 + margin - old;
        return expected <= 0
            ? _config.LeaseMicros / 6
            : Math.Clamp(expected, _config.LeaseMicros / 12, _config.IntervalMicros + margin);
    }

    private LeaseRecord Held(long epoch) => new()
    {
        HolderId = _config.NodeId,
        Incarnation = _self.Incarnation,
        Epoch = epoch,
        Duration = _lease,
        Url = _config.PublicTarget,
        Target = _config.Target,
    };

    private LeaseRecord Free(long epoch, TimeSpan duration, string? successor) => new()
    {
        HolderId = null,
        Incarnation = _self.Incarnation,
        Epoch = epoch,
        Duration = duration,
        Successor = successor,
    };

    private static long Micros(TimeSpan duration) => duration.Ticks / TimeSpan.TicksPerMicrosecond;

    /// <param name="Call">What was asked.</param>
    /// <param name="Kind">What for.</param>
    /// <param name="At">Noted before the call was handed out.</param>
    /// <param name="Generation">An answer in a later one says nothing about this node's leadership.</param>
    private sealed record Outstanding(StoreCall Call, CallKind Kind, long At, long Generation);
}
