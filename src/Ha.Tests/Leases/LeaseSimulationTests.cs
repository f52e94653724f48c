using Ha.Tests.Leases.Simulation;
using Xunit.Abstractions;

namespace Ha.Tests.Leases;

/// <summary>A slice of the simulation for every <c>dotnet test</c>; the command <c>lease-simulate</c> runs far more.</summary>
public class LeaseSimulationTests(ITestOutputHelper output)
{
    private static readonly TimeSpan _budget = TimeSpan.FromSeconds(3);

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void No_promise_is_broken(int nodes)
    {
        var summary = Run(new LeaseSimulateOptions { Seeds = 3_000, Nodes = nodes }, _budget);
        Assert.Equal(0, summary.Counts.Overlaps);
    }

    [Fact]
    public void The_faults_bite()
    {
        var summary = Run(new LeaseSimulateOptions { Seeds = 100 }, TimeSpan.MaxValue);
        Assert.True(summary.Counts.Leaderships > 400, summary.ToString());
        Assert.True(summary.Counts.Handoffs > 50, summary.ToString());
        Assert.True(summary.Counts.FencedAway > 0, summary.ToString());
    }

    /// <summary>Then two may lead: the checker sees it, and at the application's fence epochs only rise even so.</summary>
    [Fact]
    public void A_store_that_loses_its_last_writings_is_seen_to_have_two_leaders_and_the_fence_holds()
    {
        var summary = Run(new LeaseSimulateOptions { Seeds = 300, GoesBack = true }, TimeSpan.MaxValue);
        Assert.True(summary.Counts.Overlaps > 0, summary.ToString());
    }

    [Fact]
    public void The_same_seed_is_the_same_run()
    {
        for (ulong seed = 1; seed <= 8; seed++)
        {
            var first = LeaseRun.Run(seed, trace: true);
            Assert.Equal(first.Trace, LeaseRun.Run(seed, trace: true).Trace);
            Assert.Equal(first.Fingerprint, LeaseRun.Run(seed).Fingerprint);
            Assert.NotEqual(first.Fingerprint, LeaseRun.Run(seed + 100).Fingerprint);
        }
    }

    [Fact]
    public void The_command_line_is_checked()
    {
        var printed = new StringWriter();
        Assert.Equal(2, LeaseSimulateCommand.Run(["--seeds"], printed));
        Assert.Equal(2, LeaseSimulateCommand.Run(["--nodes", "6"], printed));
        Assert.Equal(0, LeaseSimulateCommand.Run(["--seeds", "2", "--trace"], printed));
        Assert.Contains("all promises held", printed.ToString(), StringComparison.Ordinal);
    }

    private LeaseSummary Run(LeaseSimulateOptions options, TimeSpan budget)
    {
        var summary = LeaseSeeds.Run(options with { Threads = 2 }, TimeProvider.System, budget);
        output.WriteLine(summary.ToString());
        if (summary.Failed is { } failed)
            Assert.Fail(LeaseSimulateCommand.Story(LeaseRun.Run(failed.Seed, options.Nodes, options.GoesBack, trace: true), 80));

        return summary;
    }
}
