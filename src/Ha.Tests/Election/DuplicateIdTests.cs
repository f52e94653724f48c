using Ha.Election;

namespace Ha.Tests.Election;

public class DuplicateIdTests
{
    private readonly Cores _cores = new(majority: true, awaitFloor: false, "a", "b", "c");

    [Fact]
    public void A_recorded_request_with_an_id_that_has_moved_does_not_stop_the_election()
    {
        _cores.Run(1_000_000);
        var beat = _cores.Beat("c", "b");

        // Once c's URL belonged to a node with the id "a"; somebody kept a request of those days.
        var recorded = beat with { From = beat.From with { Id = "a", Incarnation = Guid.NewGuid() }, ToIncarnation = Guid.NewGuid() };

        Assert.Equal(BeatStatus.Conflict, _cores.Take("b", recorded).Status);
        Assert.False(_cores["b"].HasDuplicateId(_cores.Now));
    }

    [Fact]
    public void A_fresh_request_with_the_id_of_another_raises_the_alarm_and_only_once()
    {
        _cores.Run(1_000_000);
        var twin = _cores.Beat("c", "b");
        twin = twin with { From = twin.From with { Id = "a", Incarnation = Guid.NewGuid() } };
        twin = twin with { Nonce = _cores.Take("b", twin).Nonce };

        Assert.Equal(BeatStatus.DuplicateId, _cores.Take("b", twin).Status);
        Assert.True(_cores["b"].HasDuplicateId(_cores.Now));
        Assert.Equal(BeatStatus.Conflict, _cores.Take("b", twin).Status);
    }
}
