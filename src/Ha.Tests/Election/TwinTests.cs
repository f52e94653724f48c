using Ha.Election;

namespace Ha.Tests.Election;

/// <summary>A process that was replaced, under the same NodeID and URL, and lives on.</summary>
public class TwinTests
{
    private readonly Cores _cores = new(majority: true, awaitFloor: false, "a", "b", "c");
    private readonly ElectionCore _old;

    public TwinTests()
    {
        _cores.Run(1_000_000);
        _old = _cores["a"];
        _cores.Restart("a");
        _cores.Run(2_000_000);
        _ = Events("a");
        _ = Events("b");
        _ = _old.TakeEvents();
    }

    [Fact]
    public void Members_name_both_processes_and_tell_both()
    {
        var answer = OldAsks();

        Assert.Equal(BeatStatus.DuplicateId, answer.Status);
        Assert.False(answer.Granted);
        var seen = Assert.Single(Events("b"));
        Assert.Equal("a", seen.Node);
        Assert.Contains($"http://a is used by the incarnations {Short("a")} and {Short(_old)}", seen.Why, StringComparison.Ordinal);
        var told = Assert.Single(_old.TakeEvents(), IsTwin);
        Assert.Equal($"b hears another process than this one, which is incarnation {Short(_old)} at http://a", told.Why);

        _cores.Run(Cores.Interval);
        var replacement = Assert.Single(Events("a"));
        Assert.Equal($"b hears another process than this one, which is incarnation {Short("a")} at http://a", replacement.Why);
    }

    [Fact]
    public void The_replacement_loses_one_heartbeat_in_thirty_seconds_and_no_leadership()
    {
        _cores.Run(5_000_000, () => _cores.Leaders is ["a" or "b" or "c"]);
        var (leader, epoch) = (_cores.Leaders.Single(), _cores[_cores.Leaders.Single()].Epoch);
        var told = 0;
        for (var i = 0; i < 250; i++)
        {
            OldAsks();
            _cores.Run(Cores.Interval);
            told += Events("a").Count;
        }

        Assert.Equal(1, told);
        Assert.Equal(leader, Assert.Single(_cores.Leaders));
        Assert.Equal(epoch, _cores[leader].Epoch);
        Assert.False(_cores["b"].HasDuplicateId(_cores.Now));
    }

    [Fact]
    public void A_message_that_was_under_way_when_its_process_was_replaced_is_no_proof_of_life()
    {
        var late = _cores.Beat("c", "b");
        _cores.Restart("c");
        _cores.Run(Cores.Lease / 2);

        Assert.Equal(BeatStatus.Conflict, _cores.Take("b", late).Status);
        Assert.Empty(Events("b"));
    }

    [Fact]
    public void Neither_is_a_recorded_one()
    {
        var recorded = _cores.Beat("c", "b");
        _cores.Take("b", recorded);
        _cores.Restart("c");
        _cores.Run(5_000_000);

        Assert.Equal(BeatStatus.Conflict, _cores.Take("b", recorded).Status);
        Assert.Empty(Events("b"));
    }

    private BeatReply OldAsks()
    {
        _old.Tick(_cores.Now, _cores.Now);
        var reply = _cores.Take("b", _old.CreateBeat(0, _cores.Now, _cores.Now));
        _old.ReceiveReply(0, reply, _cores.Now, _cores.Now);
        return reply;
    }

    private List<ElectionEvent> Events(string id) => [.. _cores[id].TakeEvents().Where(IsTwin)];

    private static bool IsTwin(ElectionEvent report) => report.Kind == ElectionEventKind.TwinSeen;

    private string Short(string id) => Short(_cores[id]);

    private string Short(ElectionCore core) => core.CreateBeat(1, _cores.Now, _cores.Now).From.Incarnation.ToString("N")[..8];
}
