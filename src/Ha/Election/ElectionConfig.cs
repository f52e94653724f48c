namespace Ha.Election;

/// <summary>When a leader hands over to a lower NodeID that has come back.</summary>
internal enum PreemptMode
{
    Auto,
    Manual,
    Never,
}

/// <summary>What one state-machine instance is created with. Durations are microseconds.</summary>
internal sealed record ElectionConfig
{
    /// <summary>What a leader takes off each acknowledged duration, in thousandths (2 %): 1-δ ≤ (1-ρ)/(1+ρ) for clock rates within ρ = 1 %.</summary>
    public const int DriftPermille = 20;

    public required string ClusterId { get; init; }
    public required string NodeId { get; init; }
    public required Guid Incarnation { get; init; }
    public required string Target { get; init; }
    public required string PublicTarget { get; init; }

    /// <summary>The other members' normalised URLs, own target excluded, no duplicates.</summary>
    public required IReadOnlyList<string> Peers { get; init; }

    public required long IntervalMicros { get; init; }
    public required long LeaseMicros { get; init; }

    /// <summary>True: a lease needs a majority of all members. False: off mode.</summary>
    public required bool Majority { get; init; }

    public PreemptMode Preempt { get; init; }
    public bool Witness { get; init; }
    public required long DrainMicros { get; init; }

    /// <summary>True: a new leader admits no write before <c>ConfirmEpochFloor</c> was called.</summary>
    public bool AwaitEpochFloor { get; init; }

    /// <summary>
    /// How long a leader waits for the application's floor before another member is to try. Longer than a database
    /// keeps a row locked for a leader that was paused inside its transaction: the next would wait for the same lock.
    /// </summary>
    public long FencePatienceMicros { get; init; } = 10_000_000;

    /// <summary>Digest over what every member must agree on; see <see cref="ConfigDigest"/>.</summary>
    public required string Digest { get; init; }

    /// <summary>Source of nonces and of campaign jitter.</summary>
    public required Func<Guid> NewNonce { get; init; }

    public long CandidacyMicros => IntervalMicros;

    /// <summary>
    /// How long a message may take, answer included. One that is merely slow still counts, and after one that hangs the
    /// next try, which is due by then, has almost half an interval left before a lease of three intervals ends.
    /// </summary>
    public long BeatTimeoutMicros => IntervalMicros * 3 / 2;

    public long QuarantineMicros => LeaseMicros + CandidacyMicros;
    public int Voters => Peers.Count + 1;
    public int Quorum => Voters / 2 + 1;

    /// <summary>What a leader may count on when a voter promised <paramref name="durationMicros"/>.</summary>
    public static long Credit(long durationMicros) => durationMicros - (durationMicros * DriftPermille + 999) / 1000;
}
