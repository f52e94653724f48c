using Ha.Consistency;

namespace Ha.Tests.Consistency;

/// <summary>The node knows epoch 5. docs/consistency.md has the table.</summary>
public sealed class ReadDecisionTests
{
    [Theory]
    [InlineData(5, false, false, "Wait", "Leader")]
    [InlineData(6, false, false, "Wait", "Leader")]
    [InlineData(4, false, false, "Look", "Leader")]
    [InlineData(5, true, false, "Leader", "Leader")]
    [InlineData(4, true, false, "Leader", "Leader")]
    [InlineData(6, true, false, "Wait", "Refuse")]
    [InlineData(5, false, true, "Leader", "Leader")]
    [InlineData(4, true, true, "Leader", "Leader")]
    [InlineData(6, true, true, "Refuse", "Refuse")]
    public void A_read_is_decided_by_its_epoch_and_who_leads(long epoch, bool leads, bool forwarded, string begin, string atLast)
    {
        var facts = new ReadFacts(new ReadPosition(epoch, 7), Epoch: 5, leads, forwarded);
        Assert.Equal(begin, $"{ReadDecision.Begin(facts)}");
        Assert.Equal(atLast, $"{ReadDecision.AtLast(facts)}");
    }

    [Fact]
    public void Without_a_known_leader_it_waits() =>
        Assert.Equal(ReadStep.Wait, ReadDecision.Begin(new ReadFacts(new ReadPosition(5, 7), Epoch: 0, Leads: false, Forwarded: false)));

    [Fact]
    public void A_later_epoch_is_later_whatever_the_number()
    {
        Assert.True(ReadPosition.Compare(new ReadPosition(2, 1), new ReadPosition(1, 9)) > 0);
        Assert.True(ReadPosition.Compare(new ReadPosition(2, 1), new ReadPosition(2, 9)) < 0);
    }
}
