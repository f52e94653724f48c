namespace Ha.Tests.Election;

public class OffModeStartTests
{
    [Theory]
    [InlineData("a", "b")]
    [InlineData("a", "b", "c")]
    public void Nodes_that_leave_quarantine_in_the_same_instant_never_lead_together(params string[] ids)
    {
        var cores = new Cores(majority: false, awaitFloor: false, ids);
        var most = 0;

        cores.Run(8 * Cores.Lease, () =>
        {
            most = Math.Max(most, cores.Leaders.Length);
            return false;
        });

        Assert.Equal(1, most);
        Assert.Equal(["a"], cores.Leaders);
    }
}
