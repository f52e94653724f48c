using Ha.Election;
using Ha.Tests.Simulation;
using Xunit.Abstractions;

namespace Ha.Tests.SimulationRuns;

public class SteadyViewTests(ITestOutputHelper output)
{
    private const ulong Seeds = 250;

    [Theory]
    [InlineData(500, 1500)]
    [InlineData(500, 1000)]
    [InlineData(50, 150)]
    public void No_follower_reports_the_loss_of_a_leader_that_holds_its_lease(int interval, int lease)
    {
        var told = new int[Enum.GetValues<ElectionEventKind>().Length];
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            var world = ViewStudy.Play(seed, interval, lease);
            Assert.True(world.Violation is null, $"seed {seed}, {interval}/{lease} ms: {world.Violation}");
            foreach (var node in world.Nodes)
                told = [.. told.Zip(node.Heard, (sum, heard) => sum + heard)];
        }

        // The losses that are real are reported, or this would prove nothing.
        output.WriteLine($"{told[(int)ElectionEventKind.LeaderSeen]} leaders seen, {told[(int)ElectionEventKind.LeaderLost]} lost");
        Assert.True(told[(int)ElectionEventKind.LeaderLost] > (int)Seeds * ViewStudy.Kills, "hardly anybody noticed the kills");
    }
}
