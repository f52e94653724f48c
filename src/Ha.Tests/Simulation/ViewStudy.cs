using Ha.Election;

namespace Ha.Tests.Simulation;

/// <summary>A healthy cluster whose leader is killed and started again, a few times: what do the others report?</summary>
internal static class ViewStudy
{
    public const int Kills = 3;

    /// <summary>The world after one run; <see cref="World.Violation"/> says what somebody reported that was not so.</summary>
    public static World Play(ulong seed, int interval, int lease)
    {
        var settings = Settings(new SimRandom(seed), seed, interval * 1000L, lease * 1000L);
        var world = new World(settings);
        long leaseMicros = lease * 1000L;
        foreach (var node in world.Nodes)
            world.Schedule(world.Random.Between(0, 2 * leaseMicros), node.Start);

        for (int kill = 0; kill < Kills; kill++)
        {
            world.RunUntilSomebodyLeads(10 * leaseMicros);
            world.RunUntil(world.Now + world.Random.Between(0, 4 * leaseMicros));
            if (world.Leader() is not (>= 0 and var leader))
                continue;

            world.Nodes[leader].Crash("killed");
            world.RunUntilSomebodyLeads(10 * leaseMicros);
            world.RunUntil(world.Now + world.Random.Between(0, 4 * leaseMicros));
            world.Nodes[leader].Start();
        }

        world.RunUntil(world.Now + 10 * leaseMicros);
        return world;
    }

    private static WorldSettings Settings(SimRandom random, ulong seed, long interval, long lease)
    {
        string[] targets = [.. Enumerable.Range(0, random.Pick(3, 3, 4, 5)).Select(i => $"http://{(char)('a' + i)}")];
        int witness = random.Chance(300) ? random.Index(targets.Length) : -1;
        return new WorldSettings
        {
            Seed = seed,
            SteadyViews = true,
            DelayMinMicros = 50,
            DelayMaxMicros = random.Pick(500, interval / 50, interval / 20),
            TimerSlopMicros = random.Pick(0, 1_000, interval / 10),
            RefusePermille = random.Pick(0, 500, 1000),
            Nodes =
            [
                .. targets.Select((target, i) => new NodeSetup
                {
                    Id = ((char)('A' + i)).ToString(),
                    Target = target,
                    Members = targets,
                    IntervalMicros = interval,
                    LeaseMicros = lease,
                    Majority = true,
                    Witness = i == witness,
                    Preempt = random.Pick(PreemptMode.Auto, PreemptMode.Never),
                    DrainMicros = lease,
                    RatePpm = (int)random.Between(-5_000, 5_000),
                    ReadyAfterMicros = random.Between(0, interval),
                }),
            ],
        };
    }
}
