using Ha.Election;

namespace Ha.Tests.Election;

/// <summary>A server that begins to listen long after the process began: a migration, a cold disk.</summary>
public class LateListeningTests
{
    [Fact]
    public void Nothing_is_sent_before()
    {
        var core = Silent(new Cores(majority: true, awaitFloor: false, "a", "b", "c"));
        Assert.False(core.WantsBeat(0) || core.WantsBeat(1));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Quarantine_that_is_over_begins_again_for_a_lease(bool majority)
    {
        var cores = new Cores(majority, awaitFloor: false, "a", "b");
        var core = Silent(cores);
        Assert.False(core.IsQuarantined(cores.Now));

        core.SetListening(cores.Now);
        Assert.True(core.WantsBeat(0));
        Assert.True(core.IsQuarantined(cores.Now + Cores.Lease - 1));
        Assert.False(core.IsQuarantined(cores.Now + Cores.Lease));

        core.SetReady(cores.Now + Cores.Interval);
        Assert.False(core.IsQuarantined(cores.Now + Cores.Lease));
    }

    [Fact]
    public void Whoever_was_heard_may_have_been_promised_a_vote_that_no_quarantine_takes_back()
    {
        var cores = new Cores(majority: true, awaitFloor: false, "a", "b", "c");
        var restarted = new ElectionCore(cores.ConfigOf("c"), cores.Now, cores.Now);
        cores.Replace("c", restarted);
        cores.Run(8 * Cores.Lease);
        Assert.Equal("a", restarted.Voter.Holder?.Id);

        restarted.SetReady(cores.Now);
        Assert.False(restarted.IsQuarantined(cores.Now));
    }

    [Fact]
    public void In_off_mode_it_does_not_lead_beside_the_leader_that_it_has_not_heard_yet()
    {
        var cores = new Cores(majority: false, awaitFloor: false, "a", "b");
        cores.Silent.Add("a");
        var late = new ElectionCore(cores.ConfigOf("a"), cores.Now, cores.Now);
        cores.Replace("a", late);
        cores.Run(8 * Cores.Lease);
        Assert.Equal(["b"], cores.Leaders);

        cores.Silent.Clear();
        late.SetReady(cores.Now);
        var most = cores.Leaders.Length;
        cores.Run(8 * Cores.Lease, () =>
        {
            most = Math.Max(most, cores.Leaders.Length);
            return false;
        });

        Assert.Equal(1, most);
    }

    private static ElectionCore Silent(Cores cores)
    {
        var core = new ElectionCore(cores.ConfigOf("a"), cores.Now, cores.Now);
        cores.Sleep(8 * Cores.Lease);
        core.Tick(cores.Now, cores.Now);
        return core;
    }
}
