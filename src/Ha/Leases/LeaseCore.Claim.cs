using Ha.Election;

namespace Ha.Leases;

/// <summary>What the record says, whether it may be taken, and taking it.</summary>
internal sealed partial class LeaseCore
{
    private const long MaxExpiryJitterMicros = 50_000;
    private const int MaxUnanswered = 32;

    /// <summary>The epochs of the writes against the version seen last; what was written first has taken effect, if any.</summary>
    private readonly List<long> _unanswered = [];

    private Sighting _seen;
    private KnownLeader _known;
    private long _maxEpochSeen;
    private long _lastProposed;
    private long _holdOffUntil = Peer.Never;

    public KnownLeader? LeaderSeenAt(long now) => now < _known.Until && Role != NodeRole.Leader ? _known : null;

    /// <returns>True: another version than before.</returns>
    private bool See(StoreCall call, LeaseAnswer answer, long now)
    {
        if (_seen.State != LeaseState.Unseen && answer.Version == _seen.Version)
        {
            return false;
        }

        var record = answer.Written ? call.Write : answer.Record;
        var state = Sighting.StateOf(record);
        var mine = state == LeaseState.Held && (answer.Written || IsOfUnansweredWrite(record!));
        var promised = state is LeaseState.Held or LeaseState.Vacant ? Micros(record!.Duration) : 0;
        var before = _seen.State switch
        {
            LeaseState.Held or LeaseState.Vacant => Micros(_seen.Record!.Duration),
            LeaseState.Absent or LeaseState.Nonsense => _seen.WaitMicros,
            _ => 0,
        };
        var wait = Math.Max(_config.LeaseMicros, Math.Max(promised, before));
        _seen = new Sighting(state, answer.Version, state == LeaseState.Nonsense ? null : record, now, wait, mine, _config.Jitter());
        _unanswered.Clear();
        if (state == LeaseState.Nonsense)
        {
            Report(ElectionEventKind.RecordRefused, null, 0, $"{Sighting.WhyNonsense(record!)}; it is overwritten after a lease");
        }

        SeeEpoch(_seen.Record?.Epoch ?? 0);
        LearnLeader(now);
        return true;
    }

    /// <summary>
    /// A write of this process that was not answered has taken effect after all. It replaced the version seen last, and whoever
    /// leads since must have replaced it in turn. No other record with this process's name proves that: somebody may have typed it.
    /// </summary>
    private bool IsOfUnansweredWrite(LeaseRecord record) =>
        record.HolderId == _config.NodeId && record.Incarnation == _self.Incarnation && _unanswered.Contains(record.Epoch);

    private void SeeEpoch(long epoch) => _maxEpochSeen = Math.Max(_maxEpochSeen, epoch);

    private void LearnLeader(long now)
    {
        if (_seen is not { State: LeaseState.Held, Record: { HolderId: { } holder } record } || holder == _config.NodeId)
        {
            ForgetLeader(_seen.State switch
            {
                LeaseState.Released => "it released the lease",
                LeaseState.Absent => "its record is gone from the store",
                _ => "its record was overwritten",
            });
            return;
        }

        var incarnation = Guid.ParseExact(record.Incarnation, "N");
        var target = record.Target.Length > 0 ? record.Target : record.Url;
        if (_known.Id != holder || _known.Incarnation != incarnation || _known.Epoch != record.Epoch)
        {
            Report(ElectionEventKind.LeaderSeen, holder, record.Epoch, "holds the lease");
        }

        _known = new KnownLeader(holder, incarnation, target, record.Url, record.Epoch, now + Micros(record.Duration));
    }

    private void ExpireKnownLeader(long now)
    {
        if (now >= _known.Until)
        {
            ForgetLeader("its lease was not renewed");
        }
    }

    private void ForgetLeader(string why)
    {
        if (_known.Id is { } id)
        {
            Report(ElectionEventKind.LeaderLost, id, _known.Epoch, why);
            _known = default;
        }
    }

    /// <summary>From when on this node may replace what it sees; a claim of one that may not stand is never due.</summary>
    private long ClaimAt(long now)
    {
        if (!IsEligible(now) || _seen.State == LeaseState.Unseen)
        {
            return long.MaxValue;
        }

        var spread = (long)(_seen.Jitter * (_config.LeaseMicros / 20));
        var delay = _seen switch
        {
            { Mine: true } => 0,
            { State: LeaseState.Absent } => spread,
            { State: LeaseState.Released, Record.Successor: null } => spread,
            { State: LeaseState.Released, Record.Successor: { } named } => named == _config.NodeId ? 0 : _config.IntervalMicros + spread,
            _ => _seen.WaitMicros + Math.Min(spread, (long)(_seen.Jitter * MaxExpiryJitterMicros)),
        };
        var at = _seen.Since + delay;
        return _holdOffUntil > at && (IsBlind || NextSuccessor(null, now) is not null) ? _holdOffUntil : at;
    }

    /// <summary>
    /// Where there is no record the claim begins with one that nobody holds: only a version can be seen not to have changed.
    /// </summary>
    private LeaseRecord BeginClaim(long wall)
    {
        if (_seen.State == LeaseState.Absent)
        {
            return Free(Math.Max(1, Math.Max(_maxEpochSeen, wall)), TimeSpan.FromMicroseconds(_seen.WaitMicros), successor: null);
        }

        Role = NodeRole.Candidate;
        Generation++;
        Epoch = NextEpoch(wall);
        return Held(Epoch);
    }

    /// <summary>Strictly above everything seen, and near the wall clock so that epochs rise even over a record that is gone.</summary>
    private long NextEpoch(long wall)
    {
        _maxEpochSeen = Math.Max(_maxEpochSeen, wall - 1) + 1;
        _lastProposed = _maxEpochSeen;
        return _lastProposed;
    }

    private void ClaimAnswered(Outstanding sent, bool written, bool current, long now)
    {
        var held = sent.Call.Write!.HolderId is not null;
        if (current && Role == NodeRole.Candidate)
        {
            if (written && IsEligible(now) && now < sent.At + ElectionConfig.Credit(_config.LeaseMicros))
            {
                BecomeLeader(sent.At, now);
                return;
            }

            BecomeFollower();
        }

        if (held && written && !IsEligible(now))
        {
            StartRelease(NextSuccessor(null, now)?.NodeId, now);
        }
    }
}
