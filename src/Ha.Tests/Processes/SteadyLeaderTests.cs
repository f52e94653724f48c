using Xunit.Abstractions;

namespace Ha.Tests.Processes;

/// <summary>The <c>losses</c> command runs the same trials more often.</summary>
[Collection(ProcessTests.Name)]
public class SteadyLeaderTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(500)]
    [InlineData(50)]
    public async Task Nobody_reports_the_loss_of_a_leader_that_was_not_lost(int intervalMilliseconds) =>
        Assert.Empty(await LossTrials.RunAsync(output, TimeSpan.FromMilliseconds(intervalMilliseconds)));
}
