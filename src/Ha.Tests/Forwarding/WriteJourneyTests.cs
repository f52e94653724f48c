using Ha.Forwarding;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Forwarding;

public sealed class WriteJourneyTests
{
    [Fact]
    public void Pauses_grow_with_every_refusal_of_one_leader_and_start_again_with_the_next()
    {
        using var leadership = new FakeLeadership("me");
        var context = new DefaultHttpContext();
        using var journey = new WriteJourney(context, new RequestFacts { Method = "POST", Path = "/" }, refusal: null, TimeProvider.System);
        Assert.Equal(long.MaxValue, Next());

        journey.RefusedBy = leadership.Follow("http://old", epoch: 1).Current;
        Assert.Equal([25, 50, 100, 200, 250, 250], Enumerable.Range(0, 6).Select(_ => Next()));

        journey.RefusedBy = leadership.Follow("http://new", epoch: 2).Current;
        Assert.Equal([25, 50], [Next(), Next()]);

        long Next() => journey.NextRetry(leadership.Current, now: 0, frequency: 1000);
    }
}
