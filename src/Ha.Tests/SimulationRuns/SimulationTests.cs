using Ha.Tests.Simulation;
using Xunit.Abstractions;

namespace Ha.Tests.SimulationRuns;

/// <summary>A slice of the simulation for every <c>dotnet test</c>; <c>.ci/run</c> runs far more.</summary>
public class SimulationTests(ITestOutputHelper output)
{
    private static readonly TimeSpan _budget = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(0)]
    public void No_promise_is_broken(int nodes)
    {
        var clock = TimeProvider.System;
        long started = clock.GetTimestamp();
        var runner = new SeedRunner(nodes, seconds: 20) { Enough = () => clock.GetElapsedTime(started) > _budget };
        var summary = runner.Run(from: 1, count: 2_000, threads: 2);
        output.WriteLine(summary.ToString());
        if (summary.Failed is { } failed)
            Assert.Fail(Story.Of(ChaosRun.Run(failed.Seed, nodes, 20, trace: true), lastLines: 80));
    }

    [Fact]
    public void The_same_seed_is_the_same_run()
    {
        for (ulong seed = 1; seed <= 8; seed++)
        {
            var first = ChaosRun.Run(seed, 0, 10, trace: true);
            var again = ChaosRun.Run(seed, 0, 10, trace: true);
            Assert.Equal(first.Trace, again.Trace);
            Assert.Equal(first.Fingerprint, again.Fingerprint);
            Assert.Equal(first.Fingerprint, ChaosRun.Run(seed, 0, 10, trace: false).Fingerprint);
            Assert.NotEqual(first.Fingerprint, ChaosRun.Run(seed + 100, 0, 10).Fingerprint);
        }
    }

    [Fact]
    public void The_faults_bite()
    {
        var summary = new SeedRunner(3, seconds: 20).Run(from: 1, count: 60, threads: 2);
        Assert.True(summary.Counts.LeaderChanges > 200, summary.ToString());
        Assert.True(summary.Counts.Handoffs > 20, summary.ToString());
        Assert.True(summary.Counts.CheckedAway > 20, summary.ToString());
        Assert.True(summary.Counts.FencedAway > 0, summary.ToString());
    }

    [Theory]
    [InlineData(500, 1500)]
    [InlineData(100, 300)]
    [InlineData(40, 120)]
    public void Failover_takes_a_lease_less_half_an_interval_and_never_more_than_a_lease(int interval, int lease)
    {
        var times = TimingStudy.Measure(interval, lease, TimingStudy.Failover, runs: 200);
        double mean = times.Average() / 1000.0;
        Assert.InRange(mean, lease - interval * 0.65, lease - interval * 0.35);
        Assert.InRange(times[^1] / 1000.0, lease - interval, lease + 3 * 0.5 + 4);
    }

    [Theory]
    [InlineData(500, 1500)]
    [InlineData(40, 120)]
    public void A_handoff_takes_three_round_trips_at_most(int interval, int lease)
    {
        var times = TimingStudy.Measure(interval, lease, TimingStudy.Handoff, runs: 200);
        Assert.InRange(times[^1] / 1000.0, 0, 3 * 2 * 0.5);
    }

    [Fact]
    public void The_command_line_is_checked()
    {
        var printed = new StringWriter();
        Assert.Equal(2, SimulateCommand.Run(["--seeds"], printed));
        Assert.Equal(2, SimulateCommand.Run(["--nodes", "10"], printed));
        Assert.Equal(2, SimulateCommand.Run(["--fly", "1"], printed));
        Assert.Equal(0, SimulateCommand.Run(["--seeds", "2", "--nodes", "3", "--seconds", "5"], printed));
        Assert.Contains("2 seeds", printed.ToString(), StringComparison.Ordinal);
    }
}
