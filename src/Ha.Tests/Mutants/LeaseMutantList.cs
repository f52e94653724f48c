namespace Ha.Tests.Mutants;

/// <summary>Every rule that leading by a lease in a store would break without.</summary>
internal static class LeaseMutantList
{
    private const string Host = "Ha.Tests.Leases.Simulation.LeaseMutantHost";
    private const string Calls = "LeaseCore.Calls.cs";
    private const string Claim = "LeaseCore.Claim.cs";
    private const string Lease = "LeaseCore.Lease.cs";
    private const string Handoff = "LeaseCore.Handoff.cs";

    public static IReadOnlyList<Mutant> All { get; } =
    [
        Of("lease: counted from receive time",
            new Edit(Claim, "BecomeLeader(sent.At, now);", "BecomeLeader(now, now);"),
            new Edit(Lease, "LeaseUntil = sent.At + ElectionConfig", "LeaseUntil = now + ElectionConfig")),
        Of("lease: a claim counted from receive time",
            new Edit(Claim, "BecomeLeader(sent.At, now);", "BecomeLeader(now, now);")),
        Of("lease: a renewal counted from receive time",
            new Edit(Lease, "LeaseUntil = sent.At + ElectionConfig", "LeaseUntil = now + ElectionConfig")),
        Of("lease: no drift factor",
            new Edit("ElectionConfig.cs", "durationMicros - (durationMicros * DriftPermille + 999) / 1000", "durationMicros")),
        Of("lease: cached leader flag",
            new Edit(Lease, "IsLeaderAt(long now) => now < ValidUntil", "IsLeaderAt(long now) => ValidUntil > 0")),
        Of("lease: a late answer revives what has lapsed",
            new Edit(Calls,
                "sent.Kind == CallKind.Renew && Role == NodeRole.Leader && current",
                "sent.Kind == CallKind.Renew && (Role == NodeRole.Leader || answer.Written)"),
            new Edit(Lease,
                "        LeaseUntil = sent.At + ElectionConfig",
                "        (Role, Epoch) = (NodeRole.Leader, sent.Call.Write!.Epoch);\n        LeaseUntil = sent.At + ElectionConfig")),
        Of("lease: the own record renewed after a lapse",
            new Edit(Claim,
                "Epoch = NextEpoch(wall);",
                "Epoch = _seen.Mine && _seen.Record!.Epoch == _lastProposed ? _lastProposed : NextEpoch(wall);")),
        Of("release: before the role is given up",
            new Edit(Handoff,
                "GiveUp(_lastNow, successor, ElectionEventKind.LeadershipReleased, "
                    + "$\"handed over ({ElectionWords.Of(_handoff.Reason)})\");",
                ""),
            new Edit(Calls,
                "if (Role == NodeRole.Leader)\n        {\n            // While",
                "if (Role == NodeRole.Leader && _releaseUntil <= now)\n        {\n            // While")),
        Of("release: whatever the record is now",
            new Edit(Handoff, "now >= _releaseUntil || !_seen.Mine", "now >= _releaseUntil")),
        Of("epoch: from memory and clock, not from the record",
            new Edit(Claim, "SeeEpoch(_seen.Record?.Epoch ?? 0);", "")),
        Of("epoch: not from the wall clock",
            new Edit(Claim, "Math.Max(_maxEpochSeen, wall - 1) + 1", "_maxEpochSeen + 1"),
            new Edit(Claim, "Math.Max(1, Math.Max(_maxEpochSeen, wall))", "Math.Max(1, _maxEpochSeen)")),
        Of("claim: the store's clock says when",
            new Edit(Claim, "null : record, now, wait", "null : record, now - Micros(answer.Age ?? TimeSpan.Zero), wait")),
        Of("claim: another's record, without waiting",
            new Edit(Claim, "_ => _seen.WaitMicros + Math.Min", "_ => Math.Min")),
        Of("claim: the wait goes on over a new version",
            new Edit(Claim,
                "null : record, now, wait",
                "null : record, _seen.State == LeaseState.Unseen ? now : _seen.Since, wait")),
        Of("claim: a release of an old version counts",
            new Edit(Claim, "private Sighting _seen;", "private Sighting _seen;\n    private bool _released;"),
            new Edit(Claim, "        _unanswered.Clear();", "        _released |= state == LeaseState.Released;\n_unanswered.Clear();"),
            new Edit(Claim, "{ Mine: true } => 0,", "{ Mine: true } => 0,\n            _ when _released => 0,")),
        Of("claim: a holder struck out by hand has released",
            new Edit("Sighting.cs", "record.Duration == TimeSpan.Zero ?", "true ?")),
        Of("claim: the own name is proof enough",
            new Edit(Claim,
                "record == Held(record.Epoch) && _unanswered.Contains(record.Epoch)",
                "record.HolderId == _config.NodeId && record.Incarnation == _self.Incarnation")),
        Of("claim: the own name and an own epoch are proof enough",
            new Edit(Claim,
                "record == Held(record.Epoch) && _unanswered",
                "record.HolderId == _config.NodeId && record.Incarnation == _self.Incarnation && _unanswered")) with { From = 45_000 },
        Of("standing: a paused node stands",
            new Edit("LeaseCore.cs", "!_draining && Standing.Stands && now", "!_draining && now")),
        Of("handoff: completed where nobody could take over",
            new Edit(Handoff, "!IsBlind && SuccessorNow(now) is null", "false")) with { From = 800 },
        Of("claim: a record that is gone was released",
            new Edit(Claim, "TimeSpan.FromMicroseconds(_seen.WaitMicros), successor", "TimeSpan.Zero, successor")),
        Of("claim: an absence is waited out without a mark",
            new Edit(Claim, "{ State: LeaseState.Absent } => spread,", ""),
            new Edit(Claim, "if (_seen.State == LeaseState.Absent)", "if (false)")) with { From = 1_900 },
    ];

    private static Mutant Of(string name, params Edit[] edits) => new(name, 0, edits) { Host = Host };
}
