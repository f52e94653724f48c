using Ha.Election;

namespace Ha.Leases;

/// <summary>Being leader: the lease, its renewal, the application's floor, and losing it.</summary>
internal sealed partial class LeaseCore
{
    private const int BarredPatiences = 5;

    private long _renewAt;
    private long _bumpEpoch;
    private long? _trustAfter;
    private bool _floorConfirmed = true;
    private long _floorAwaitedSince;
    private long _barredUntil = Peer.Never;

    /// <summary>When this node's lease ends unless renewed; in the distant past unless it leads.</summary>
    public long LeaseUntil { get; private set; } = Peer.Never;

    public bool NeedsEpochFloor => Role == NodeRole.Leader && !_floorConfirmed && _bumpEpoch == 0;

    /// <summary>The one definition of "leads": evaluated at each use, never kept.</summary>
    public bool IsLeaderAt(long now) => now < ValidUntil;

    public long ValidUntil =>
        Role == NodeRole.Leader && _trustAfter is null && _floorConfirmed ? LeaseUntil : Peer.Never;

    /// <summary>
    /// Tells the highest epoch that was stored behind the application's fence when <paramref name="epoch"/> was put
    /// there. It may come again later: whoever has raised the fence above this leader's epoch since does not belong to
    /// this cluster, and nothing of this leader would get through any more.
    /// </summary>
    public void ConfirmEpochFloor(long floor, long epoch, long now)
    {
        Advance(now, WallAt(now));
        SeeEpoch(floor);
        if (Role == NodeRole.Leader && epoch == Epoch && _bumpEpoch == 0)
        {
            if (floor > Epoch || (floor == Epoch && !_floorConfirmed))
            {
                _bumpEpoch = NextEpoch(WallAt(_lastNow));
                _renewAt = _lastNow;
            }
            else
            {
                _floorConfirmed = true;
            }
        }

        Advance(now, WallAt(now));
    }

    private void BecomeLeader(long claimedAt, long now)
    {
        Role = NodeRole.Leader;
        LeaseUntil = claimedAt + ElectionConfig.Credit(_config.LeaseMicros);
        _renewAt = claimedAt + _config.IntervalMicros;
        _known = default;
        _successor = null;
        AwaitFloor(now);
        Report(ElectionEventKind.LeadershipWon, null, Epoch, "took the lease");
    }

    private void AwaitFloor(long now)
    {
        _floorConfirmed = !_config.AwaitEpochFloor;
        _floorAwaitedSince = now;
    }

    private void RenewalAnswered(Outstanding sent, bool written, bool changed, long now)
    {
        if (!written)
        {
            // An earlier renewal, taken for lost, is what is in the way.
            _renewAt = changed ? now : sent.At + _config.LeaseMicros / 12;
            return;
        }

        LeaseUntil = sent.At + ElectionConfig.Credit(_config.LeaseMicros);
        _renewAt = sent.At + _config.IntervalMicros;
        if (sent.Call.Id > _trustAfter)
        {
            _trustAfter = null;
        }

        if (_bumpEpoch != 0 && sent.Call.Write!.Epoch == _bumpEpoch)
        {
            SwitchToBumpedEpoch(now);
        }

        if (_bumpEpoch != 0 || _trustAfter is not null)
        {
            _renewAt = now; // asked for while this one was under way
        }
    }

    /// <summary>A higher epoch without giving the lease up; permits of the lower one are void.</summary>
    private void SwitchToBumpedEpoch(long now)
    {
        Epoch = _bumpEpoch;
        _bumpEpoch = 0;
        Generation++;
        AwaitFloor(now);
        Report(ElectionEventKind.EpochBumped, null, Epoch, "the application's fence had seen a higher epoch");
    }

    private void AdvanceLease(long now)
    {
        if (Role == NodeRole.Leader && now >= LeaseUntil)
        {
            var why = _handoff.Phase == HandoffPhase.Lapsing || _trouble is null || _failures == 0
                ? "not renewed in time" : $"not renewed in time; {_config.StoreDescription}: {_trouble}";
            GiveUp(now, _handoff.Phase == HandoffPhase.Lapsing ? _handoff.Successor : null, ElectionEventKind.LeadershipLapsed, why);
        }
    }

    /// <summary>A leader whose application cannot reach its own store admits no write: another node may do better, if any.</summary>
    private void AdvanceFence(long now)
    {
        if (NeedsEpochFloor && _handoff.Phase == HandoffPhase.None && now - _floorAwaitedSince >= _config.FencePatienceMicros
            && Begin(null, HandoffReason.FenceUnreachable, now).Result == HandoffResult.Accepted)
        {
            // Where nobody knows who else is there, all would be barred one after the other.
            _barredUntil = IsBlind ? Peer.Never : now + BarredPatiences * _config.FencePatienceMicros;
        }
    }

    /// <summary>Ends leadership for good: to lead again takes a claim and a new epoch.</summary>
    private void GiveUp(long now, string? successor, ElectionEventKind kind, string why)
    {
        Report(kind, successor, Epoch, why);
        BecomeFollower();
        if (successor is not null || (IsBlind && kind == ElectionEventKind.LeadershipReleased))
        {
            _holdOffUntil = now + 2 * _config.IntervalMicros;
        }

        _pollAt = now;
    }

    private void BecomeFollower()
    {
        Role = NodeRole.Follower;
        Epoch = 0;
        Generation++;
        LeaseUntil = Peer.Never;
        _bumpEpoch = 0;
        _trustAfter = null;
        _floorConfirmed = true;
        EndHandoff();
    }
}
