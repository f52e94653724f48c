namespace Ha.Tests.Mutants;

/// <summary>Every rule that the protocol would break without. The first block is the protocol's own list.</summary>
internal static class MutantList
{
    private const string Core = "ElectionCore.cs";
    private const string Campaign = "ElectionCore.Campaign.cs";
    private const string Lease = "ElectionCore.Lease.cs";
    private const string Handoff = "ElectionCore.Handoff.cs";
    private const string Members = "ElectionCore.Members.cs";
    private const string Receiving = "ElectionCore.Receiving.cs";
    private const string Replies = "ElectionCore.Replies.cs";

    private static readonly Edit _noGeneration = new(Replies, "request.Generation != Generation || ", "");

    public static IReadOnlyList<Mutant> All { get; } =
    [
        new("no quarantine", 3,
            new Edit(Core, "config.Voters == 1 ? 0 : config.QuarantineMicros", "0L")),
        new("quarantine of T/2", 3,
            new Edit(Core, "config.Voters == 1 ? 0 : config.QuarantineMicros", "config.LeaseMicros / 2")),
        new("quarantine ended early", 3,
            new Edit("Voter.cs", "    public bool IsQuarantined(", "    public void EndQuarantine(long now) => QuarantineUntil = Math.Min(QuarantineUntil, now);\n\n    public bool IsQuarantined("),
            new Edit(Receiving, "            peer.Suspect = false;", "            peer.Suspect = false;\n            if (Array.TrueForAll(_peers, p => p.LastAckedSend > Peer.Never)) _voter.EndQuarantine(now);")),
        new("lease counted from receive time", 3,
            new Edit(Replies, "var until = request.SentAt + ElectionConfig", "var until = now + ElectionConfig")),
        new("no drift factor", 3,
            new Edit("ElectionConfig.cs", "durationMicros - (durationMicros * DriftPermille + 999) / 1000", "durationMicros")),
        new("no freshness check on requests", 3,
            new Edit(Receiving, "if (!IsFresh(peer, beat))", "if (false)")),
        new("an old ack credits the newest request", 3,
            new Edit("Peer.cs", "seq > 0 && _outstanding[i].Seq == seq", "seq > 0 && _outstanding[i].Seq >= seq")),
        new("self-vote bypass", 3,
            new Edit(Campaign, "var own = _voter.Ask(", "var own = VoteAnswer.Yes; _ = ("),
            new Edit(Lease, "var answer = _voter.Ask(", "var answer = VoteAnswer.Yes; _ = (")),
        new("stale release frees a newer grant", 3,
            new Edit("Voter.cs", "Holder != holder || Epoch > upToEpoch", "Holder != holder"),
            new Edit(Receiving, "if (from.ReleasedUpTo > peer.ReleasedSeen)", "if (from.ReleasedUpTo > 0)")),
        new("cancel without holder check", 3,
            new Edit("Voter.cs", "Holder != holder || Epoch != epoch || !_cancellable", "Holder is null || Epoch != epoch || !_cancellable")),
        new("bump cancelled", 3,
            new Edit("Voter.cs", "_cancellable &= op == BeatOp.Acquire && epoch == Epoch", "_cancellable = op == BeatOp.Acquire"),
            new Edit(Replies, "        if (Role != NodeRole.Candidate)\n        {\n            return;", """
                    if (Role != NodeRole.Candidate)
                    {
                        if (_bumpEpoch != 0 && request.Epoch == _bumpEpoch)
                        {
                            _cancelledEpoch = _bumpEpoch;
                            _bumpEpoch = 0;
                            _floorConfirmed = true;
                            RequestBeats();
                        }

                        return;
            """)),
        new("stale acks kept over a campaign", 5,
            _noGeneration,
            new Edit(Lease, "            peer.ClearPromises();", "")),
        new("same epoch on regain", 3,
            new Edit(Campaign, "var epoch = Math.Max(", "var epoch = _lastProposed >= _maxEpochSeen && _lastProposed > 0 ? _lastProposed : Math.Max("),
            new Edit("Voter.cs", "epoch <= Tomb || epoch < Floor || (op == BeatOp.Acquire && epoch == Floor)", "epoch < Tomb || epoch < Floor")),
        new("resurrect after release", 3,
            _noGeneration,
            new Edit(Replies, "        if (Role == NodeRole.Candidate)\n        {\n            peer.Vote = VoteState.Granted;", "        if (Role == NodeRole.Follower && request.Op == BeatOp.Renew)\n        {\n            (Role, Epoch) = (NodeRole.Leader, request.Epoch);\n        }\n\n        if (Role == NodeRole.Candidate)\n        {\n            peer.Vote = VoteState.Granted;")),
        new("in-memory epoch counter", 3,
            new Edit(Campaign, "TrustedWall(now, wall));", "0);")),
        new("lowest ID steals a held vote", 3,
            new Edit("Voter.cs", "if (holder != asker)", "if (holder != asker && string.CompareOrdinal(asker.Id, holder.Id) >= 0)")),
        new("cached leader flag", 3,
            new Edit(Lease, "IsLeaderAt(long now) => now < ValidUntil", "IsLeaderAt(long now) => ValidUntil > 0")),
        new("clock that stops in a pause", 3,
            new Edit("FaultPlanner.cs", "        if (settings.VmStops)\n            node.Clock.Stop(world.Now);\n", "        node.Clock.Stop(world.Now);\n"),
            new Edit("FaultPlanner.cs", "        if (settings.VmStops)\n            node.Clock.Continue(world.Now);\n\n        node.Resume", "        node.Clock.Continue(world.Now);\n        node.Resume")),
        new("resume after handoff", 3,
            new Edit(Lease, "        _successor = successor;\n        BecomeFollower();", "        _successor = successor;\n        if (successor is null) BecomeFollower(); else _handoff = default;")),
        new("defer without bound", 3,
            new Edit("Voter.cs", " && deferToLower && now < DefersUntil", " && deferToLower"),
            new Edit(Campaign, "now < _voter.DefersUntil && DefersToLower", "DefersToLower")),
        new("no suspect mark", 3,
            new Edit(Core, "peer.Suspect |= peer.Id == expired.Id", "peer.Suspect |= false && peer.Id == expired.Id")),
        new("no cancel", 3,
            new Edit(Campaign, "_cancelledEpoch = Epoch;", ""),
            new Edit(Campaign, "        _voter.Cancel(_self, Epoch);", "")),

        // Rules that the simulation itself asked for.
        new("release over a running write", 3,
            new Edit(Handoff, "_handoff = _handoff with { Phase = HandoffPhase.Lapsing };", "GiveUp(now, _handoff.Successor?.Id, ElectionEventKind.LeadershipReleased, \"too late\");")),
        new("a replaced incarnation never comes back", 4,
            new Edit(Replies, "!peer.Knows(from.Incarnation) && request.Seq < peer.ConfirmedSeq", "peer.IsFormer(from.Incarnation)")),
        new("a clock jump renews what has run out", 1,
            new Edit(Core, "        AdvanceLease(now);\n        CheckClocks(now, wall);", "        CheckClocks(now, wall);\n        AdvanceLease(now);")),
        new("off mode leaves quarantined members out", 2,
            new Edit(Campaign, "(!_config.Majority || !peer.Quarantined)", "!peer.Quarantined"),
            new Edit("Voter.cs", "IsQuarantined(now) && !votesInQuarantine", "IsQuarantined(now)"),

            // At a first start the wait for the lowest would hide it; after a lapse nothing does.
            new Edit(Campaign, "(_voter.Floor == 0 && peer.Quarantined && !peer.Witness && peer.Stands)", "false")),
        new("no wait for the lowest in a cold start", 3,
            new Edit(Campaign, "(_voter.Floor == 0 && peer.Quarantined && !peer.Witness && peer.Stands)", "false")),
        new("a leader is known for what it said and no longer", 3,
            new Edit(Members, "Math.Max(from.LeaseRemainingMicros, renewed)", "from.LeaseRemainingMicros")),
        new("a node that stood still takes its leader for lost", 3,
            new Edit(Members, "HasOverslept(now) && !_known.Doubted", "false")),
        new("a paused node stands", 3,
            new Edit(Core, "!_draining && Standing.Stands && !_config", "!_draining && !_config")),
        new("a candidate that is paused goes on", 3,
            new Edit("ElectionCore.Standing.cs", "Role == NodeRole.Candidate && !Standing.Stands", "false")),
        new("a leader that does not stand keeps what it has", 3,
            new Edit(Handoff, "case HandoffPhase.None when !Standing.Stands:", "case HandoffPhase.None when false:")),
        new("a handoff is completed where nobody could take over", 3,
            new Edit(Handoff, "SuccessorNow(now) is null && !GoesInAnyCase(_handoff.Reason)", "false")),
        new("a handoff is called off while the lease runs out", 3,
            new Edit(Handoff, "case HandoffPhase.Draining when SuccessorNow", "case HandoffPhase.Draining or HandoffPhase.Lapsing when SuccessorNow")),
        new("two off-mode leaders do not yield", 2,
            new Edit(Receiving, "        if (yields)", "        if (yields && _config.Majority)")),
    ];
}
