namespace Ha.Tests;

public class WriteGateTests
{
    [Fact]
    public void A_drain_waits_for_the_writer_inside()
    {
        var gate = new WriteGate();
        gate.Enter();
        var drained = gate.WhenEmptyAsync();
        Assert.False(drained.IsCompleted);
        gate.Exit();
        Assert.True(drained.IsCompletedSuccessfully);
    }

    [Fact]
    public void An_empty_gate_drains_at_once() => Assert.True(new WriteGate().WhenEmptyAsync().IsCompletedSuccessfully);
}
