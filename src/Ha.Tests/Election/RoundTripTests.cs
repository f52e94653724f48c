using Ha.Election;

namespace Ha.Tests.Election;

public class RoundTripTests
{
    private const long Fast = 1_000;
    private const long Slow = 400_000;

    [Fact]
    public void One_stalled_answer_does_not_make_a_network_slow()
    {
        var peer = new Peer("http://b");
        peer.MeasureRoundTrip(Fast);

        peer.MeasureRoundTrip(1000 * Fast);

        Assert.InRange(peer.RoundTripMicros, Fast, 2 * Fast);
    }

    [Fact]
    public void A_network_that_became_slow_is_noticed()
    {
        var peer = new Peer("http://b");
        peer.MeasureRoundTrip(1);

        for (var i = 0; i < 150; i++)
        {
            peer.MeasureRoundTrip(Slow);
        }

        Assert.InRange(peer.RoundTripMicros, Slow / 2, Slow + 1);
    }
}
