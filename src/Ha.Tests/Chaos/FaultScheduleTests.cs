using Ha.Chaos.Faults;

namespace Ha.Tests.Chaos;

public class FaultScheduleTests
{
    [Fact]
    public void Every_fault_comes_before_any_comes_again()
    {
        var schedule = new FaultSchedule(FaultCatalogue.All, new Random(1));
        for (var round = 0; round < 3; round++)
        {
            var dealt = FaultCatalogue.All.Select(_ => schedule.Next()[0].Name).Order(StringComparer.Ordinal);
            Assert.Equal(FaultCatalogue.All.Select(f => f.Name).Order(StringComparer.Ordinal), dealt);
        }
    }

    [Fact]
    public void A_seed_deals_the_same_faults_again() => Assert.Equal(Names(7), Names(7));

    [Fact]
    public void Two_at_once_never_heal_each_other()
    {
        var schedule = new FaultSchedule(FaultCatalogue.All, new Random(2));
        var pairs = Enumerable.Range(0, 2000).Select(_ => schedule.Next()).Where(f => f.Count == 2).ToArray();
        Assert.True(pairs.Length > 100, $"{pairs.Length} pairs");
        Assert.All(pairs, p => Assert.False(p[0] == p[1] || (p[0].OnNetwork && p[1].OnNetwork) || (p[0].OnProcesses && p[1].OnProcesses)
            || (p[0].OnStore && p[1].OnStore)));
    }

    [Fact]
    public void Faults_are_chosen_by_the_beginning_of_their_names()
    {
        Assert.Equal(["stop-short", "stop-long", "stop-in-write"], FaultCatalogue.Named(["stop"]).Select(f => f.Name));
        Assert.Equal(FaultCatalogue.All, FaultCatalogue.Named([]));
        Assert.Empty(FaultCatalogue.Named(["no such fault"]));
    }

    private static string[] Names(int seed)
    {
        var schedule = new FaultSchedule(FaultCatalogue.All, new Random(seed));
        return [.. Enumerable.Range(0, 100).Select(_ => string.Join('+', schedule.Next().Select(f => f.Name)))];
    }
}
