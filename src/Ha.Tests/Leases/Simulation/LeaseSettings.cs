using Ha.Tests.Simulation;

namespace Ha.Tests.Leases.Simulation;

[Flags]
internal enum LeaseFaults
{
    None = 0,
    Crash = 1 << 0,
    Pause = 1 << 1,
    LongPause = 1 << 2,
    Rate = 1 << 3,
    Wall = 1 << 4,
    StepDown = 1 << 5,
    Terminate = 1 << 6,
    Cut = 1 << 7,
    StoreRefuses = 1 << 8,
    StoreSilent = 1 << 9,
    StoreStops = 1 << 10,
    StoreClock = 1 << 11,
    Flood = 1 << 12,
    FenceAway = 1 << 13,
    Outsider = 1 << 14,
    JoinOrLeave = 1 << 15,
    Edit = 1 << 16,
    Brownout = 1 << 17,
    GoBack = 1 << 18,

    /// <summary>Operators pause and resume, applications fall ill and recover.</summary>
    Standing = 1 << 19,
}

/// <summary>What one seed is made of. Everything is chosen by the seed unless it is given.</summary>
internal sealed record LeaseSettings
{
    public required ulong Seed { get; init; }
    public required int Nodes { get; init; }
    public required long LeaseMicros { get; init; }
    public required long DrainMicros { get; init; }
    public required long DelayMaxMicros { get; init; }
    public required int LossPermille { get; init; }
    public required int DuplicatePermille { get; init; }

    /// <summary>So many messages take up to <see cref="SlowMaxMicros"/> longer.</summary>
    public required int SlowPermille { get; init; }

    public required int WakeLossPermille { get; init; }
    public required long TimerSlopMicros { get; init; }
    public required long FaultEveryMicros { get; init; }
    public required long WallSkewMicros { get; init; }
    /// <summary>False: nobody spreads anything, and no promise may rest on that it does.</summary>
    public required bool Jitter { get; init; }

    /// <summary>Clocks run as fast or as slow as they may, and nothing between.</summary>
    public required bool ExtremeRates { get; init; }

    public required bool AwaitFloor { get; init; }
    public required bool KeepsMembers { get; init; }
    public required bool TellsAge { get; init; }
    public required LeaseFaults Faults { get; init; }
    public bool Trace { get; init; }

    /// <summary>Longer than a lease: a write may take effect long after it was given up.</summary>
    public long SlowMaxMicros => 2 * LeaseMicros;

    public long FencePatienceMicros => 2 * LeaseMicros;

    /// <summary>By hand, a record may come to promise up to so much.</summary>
    public long LongestMicros => Faults.HasFlag(LeaseFaults.Edit) ? 3 * LeaseMicros : LeaseMicros;

    /// <summary>
    /// Epochs rise over all leaderships. An epoch that is above all wall clocks, and stood only in a record that somebody deleted,
    /// is known to nobody after a restart: then only the fence can tell.
    /// </summary>
    public bool Rising =>
        !Faults.HasFlag(LeaseFaults.GoBack) && !Faults.HasFlag(LeaseFaults.Edit | LeaseFaults.Outsider);

    public int Rate(SimRandom random) => ExtremeRates ? random.Pick(-10_000, 10_000) : (int)random.Between(-10_000, 10_000);

    public static LeaseSettings For(ulong seed, int nodes, bool goesBack, bool trace)
    {
        var random = new SimRandom(seed * 2 + 1);
        long lease = random.Pick(120_000L, 300_000L, 900_000L, 1_500_000L);
        var faults = LeaseFaults.None;
        if (!random.Chance(100))
        {
            for (int bit = 0; bit <= 17; bit++)
                faults |= random.Chance(450) ? (LeaseFaults)(1 << bit) : LeaseFaults.None;
        }

        faults |= new SimRandom(seed ^ 0x57a4d57a4d57a4d5).Chance(300) ? LeaseFaults.Standing : LeaseFaults.None;
        bool edits = faults.HasFlag(LeaseFaults.Edit) && random.Chance(500);
        faults = edits ? faults : faults & ~LeaseFaults.Edit;
        faults = goesBack ? (faults & ~(LeaseFaults.Edit | LeaseFaults.Outsider)) | LeaseFaults.GoBack : faults;
        bool awaitFloor = goesBack || random.Chance(400);
        if (!awaitFloor)
            faults &= ~(LeaseFaults.FenceAway | LeaseFaults.Outsider);

        return new LeaseSettings
        {
            Seed = seed,
            Nodes = nodes > 0 ? nodes : random.Pick(1, 2, 2, 3, 3, 3, 4, 5),
            LeaseMicros = lease,
            DrainMicros = random.Pick(lease / 4, lease, 2 * lease),
            DelayMaxMicros = random.Pick(500, lease / 100, lease / 20),
            LossPermille = random.Pick(0, 0, 20, 150),
            DuplicatePermille = random.Pick(0, 0, 50, 300),
            SlowPermille = random.Pick(0, 0, 20, 100),
            WakeLossPermille = random.Pick(0, 300, 1000),
            TimerSlopMicros = random.Pick(0L, 1_000L, 15_000L),
            FaultEveryMicros = random.Pick(lease / 2, lease, 3 * lease),

            // Where a record may vanish, wall clocks carry the epochs over: two of them must differ by less than a lease.
            WallSkewMicros = edits || goesBack ? lease / 3 : random.Pick(0L, 300_000L, 3_600_000_000L),
            Jitter = random.Chance(500),
            ExtremeRates = random.Chance(500),
            AwaitFloor = awaitFloor,
            KeepsMembers = !random.Chance(150),
            TellsAge = !random.Chance(250),
            Faults = faults,
            Trace = trace,
        };
    }

    public override string ToString()
    {
        string ways = $"{(AwaitFloor ? ", floor" : "")}{(KeepsMembers ? "" : ", no members")}{(TellsAge ? "" : ", no age")}";
        return $"{Nodes} nodes, T {SimTrace.Millis(LeaseMicros)}, delay {SimTrace.Millis(DelayMaxMicros)}, loss {LossPermille}, "
            + $"twice {DuplicatePermille}, slow {SlowPermille}{ways}, {Faults}";
    }
}
