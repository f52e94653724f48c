using Xunit.Abstractions;

namespace Ha.Tests.Processes;

/// <summary>
/// The <c>losses</c> command runs the same trial more often and at shorter intervals, which need a machine that has
/// nothing else to do. In virtual time: <see cref="SimulationRuns.SteadyViewTests"/>.
/// </summary>
[Trait("Category", "Long")]
[Collection(ProcessTests.Name)]
public class SteadyLeaderTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Nobody_reports_the_loss_of_a_leader_that_was_not_lost() =>
        Assert.Empty(await LossTrials.RunAsync(output, TimeSpan.FromMilliseconds(500)));
}
