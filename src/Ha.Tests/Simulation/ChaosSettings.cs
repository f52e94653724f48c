using Ha.Election;

namespace Ha.Tests.Simulation;

/// <summary>What the clocks of a run may do, and which promise about epochs holds therefore.</summary>
internal enum WallRegime
{
    /// <summary>Wall clocks agree within 0.9 of what a quarantine outlasts; every crash is allowed.</summary>
    Close,

    /// <summary>Wall clocks step by up to an hour; only one node at a time may lose its memory.</summary>
    Wild,

    /// <summary>Wall clocks step and every crash is allowed: the application's floor has to carry the promise.</summary>
    WildWithFloor,
}

[Flags]
internal enum Faults
{
    None = 0,
    Crash = 1,
    MassCrash = 2,
    Pause = 4,
    LongPause = 8,
    Split = 16,
    OneWay = 32,
    Hub = 64,
    Chain = 128,
    Clog = 256,
    Loss = 512,
    Rate = 1024,
    Wall = 2048,
    StepDown = 4096,
    Terminate = 8192,
    Starve = 16384,
    Churn = 32768,
    Store = 65536,
    All = 131071,

    /// <summary>Operators pause and resume, applications fall ill and recover. Drawn apart from the others, so that no seed changes them.</summary>
    Standing = 131072,

    /// <summary>What off mode survives without two leaders: nothing that keeps a beat from arriving.</summary>
    CalmForOff = Crash | Rate | Wall | StepDown | Terminate | Standing,
}

/// <summary>Everything a seed decides about a chaos run before it starts.</summary>
internal sealed record ChaosSettings
{
    public required WorldSettings World { get; init; }
    public required WallRegime Walls { get; init; }
    public required Faults Enabled { get; init; }
    public required long FaultEveryMicros { get; init; }
    public required int DuplicatePermille { get; init; }
    public required int SlowPermille { get; init; }

    /// <summary>A hypervisor may stop guests together with their clocks: then only the fence is checked.</summary>
    public bool VmStops { get; init; }

    /// <summary>After the chaos one static partition, under which leadership may not dance.</summary>
    public bool StaticPartition { get; init; }

    /// <summary>After healing, wait until the lowest eligible node leads.</summary>
    public bool AwaitLowest { get; init; }

    public NodeSetup First => World.Nodes[0];
    public bool Majority => First.Majority;

    public string Describe() =>
        $"{World.Nodes.Count} nodes, {(Majority ? "majority" : "off mode")}, h/T {First.IntervalMicros / 1000}/{First.LeaseMicros / 1000} ms, "
        + $"delay {World.DelayMinMicros}-{World.DelayMaxMicros} us, walls {Walls}, faults {Enabled} every {FaultEveryMicros / 1000} ms, "
        + $"preempt {First.Preempt}"
        + (World.Nodes.Any(n => n.Witness) ? $", witness {World.Nodes.First(n => n.Witness).Id}" : "")
        + (VmStops ? ", VM stops" : "") + (StaticPartition ? ", static partition" : "");

    public static ChaosSettings For(ulong seed, int nodes, bool trace)
    {
        var random = new SimRandom(seed ^ 0x5eed5eed5eed5eed);
        int count = nodes > 0 ? nodes : random.Pick(1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9);
        bool majority = count >= 3 ? !random.Chance(30) : count == 1 && random.Chance(500);
        var (interval, lease) = random.Pick((500, 1500), (500, 1500), (100, 300), (100, 300), (40, 120), (100, 200));
        var walls = random.Pick(WallRegime.Close, WallRegime.Close, WallRegime.Close, WallRegime.Wild, WallRegime.WildWithFloor);
        bool vmStops = majority && random.Chance(30);
        bool calm = !majority && random.Chance(500);
        var enabled = (Faults)random.Between(0, (long)Faults.All) | (Faults)random.Between(0, (long)Faults.All);
        enabled |= new SimRandom(seed ^ 0x57a4d57a4d57a4d5).Chance(300) ? Faults.Standing : Faults.None;
        long delayMax = random.Pick(500, 500, interval * 1000 / 50, interval * 1000 / 17);
        var world = new WorldSettings
        {
            Seed = seed,
            Nodes = Setups(random, count, majority, walls, interval * 1000L, lease * 1000L),
            DelayMinMicros = Math.Min(random.Pick(50, 100, delayMax / 2), delayMax),
            DelayMaxMicros = delayMax,
            TimerSlopMicros = calm ? 1_000 : random.Pick(0, 500, 3_000, 15_000),
            RefusePermille = random.Pick(0, 500, 1000),
            LateReplies = random.Chance(700),
            WriterEveryMicros = interval * random.Pick(100L, 300L, 2_000L),
            SingleLease = majority ? !vmStops : calm || count == 1,
            Epochs = (!majority && count > 1) || vmStops || (count == 1 && enabled.HasFlag(Faults.Wall)) ? EpochRule.None
                : walls == WallRegime.WildWithFloor ? EpochRule.RisingForWrites : EpochRule.Rising,
            Promises = majority && count > 1 && !vmStops,
            Trace = trace,
        };
        return new ChaosSettings
        {
            World = world,
            Walls = walls,
            Enabled = calm ? enabled & Faults.CalmForOff : enabled,
            FaultEveryMicros = lease * random.Pick(300L, 700L, 1_500L, 4_000L),
            DuplicatePermille = calm ? 0 : random.Pick(0, 20, 200),
            SlowPermille = calm ? 0 : random.Pick(0, 5, 30),
            VmStops = vmStops,
            StaticPartition = majority && count >= 3 && random.Chance(60),
            AwaitLowest = random.Chance(80),
        };
    }

    private static NodeSetup[] Setups(SimRandom random, int count, bool majority, WallRegime walls, long interval, long lease)
    {
        string[] targets = [.. Enumerable.Range(0, count).Select(i => $"http://{(char)('a' + i)}")];
        int witness = majority && count >= 3 && random.Chance(150) ? random.Index(count) : -1;
        var preempt = random.Pick(PreemptMode.Auto, PreemptMode.Auto, PreemptMode.Auto, PreemptMode.Manual, PreemptMode.Never);
        bool floor = walls == WallRegime.WildWithFloor || random.Chance(150);
        bool extreme = random.Chance(500);
        long drain = random.Pick(interval, 2 * lease);
        return [.. targets.Select((target, i) => new NodeSetup
        {
            Id = ((char)('A' + i)).ToString(),
            Target = target,
            Members = targets,
            IntervalMicros = interval,
            LeaseMicros = lease,
            Majority = majority,
            Witness = i == witness,
            Preempt = preempt,
            DrainMicros = drain,
            AwaitEpochFloor = floor,
            RatePpm = extreme ? random.Pick(-10_000, 10_000) : (int)random.Between(-10_000, 10_000),
            WallSkewMicros = WallSkew(random, walls, lease),
            ClockBaseMicros = random.Between(0, 1_000_000_000_000),
            ReadyAfterMicros = random.Between(0, interval),
        })];
    }

    /// <summary>Within 0.9 T of each other, or anywhere within an hour of the truth.</summary>
    public static long WallSkew(SimRandom random, WallRegime walls, long lease) => walls == WallRegime.Close
        ? random.Between(0, lease * 9 / 10)
        : random.Between(-3_600_000_000, 3_600_000_000);
}
