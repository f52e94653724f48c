using Ha.Chaos.Checking;
using Ha.Chaos.History;
using static Ha.Tests.Chaos.Histories;

namespace Ha.Tests.Chaos;

public class RegisterCheckTests
{
    [Fact]
    public void Reads_that_see_the_last_write_are_accepted() =>
        Assert.Empty(RegisterCheck.Violations([Put("1", 0, 10), Get("1", 11, 12), Put("2", 20, 30), Get("2", 31, 32)]));

    [Fact]
    public void A_read_beside_a_write_may_see_either_value() =>
        Assert.Empty(RegisterCheck.Violations([Put("1", 0, 10), Put("2", 20, 40), Get("1", 25, 26), Get("2", 27, 28)]));

    [Fact]
    public void A_stale_read_is_rejected() =>
        Assert.Contains("no order", Assert.Single(RegisterCheck.Violations([Put("1", 0, 10), Put("2", 20, 30), Get("1", 31, 32)])));

    [Fact]
    public void A_read_that_goes_back_in_time_is_rejected() =>
        Assert.NotEmpty(RegisterCheck.Violations([Put("1", 0, 10), Put("2", 20, 40), Get("2", 22, 24), Get("1", 26, 28)]));

    [Fact]
    public void An_acknowledged_write_that_was_overwritten_by_an_older_one_is_rejected() =>
        Assert.NotEmpty(RegisterCheck.Violations([Put("1", 0, 10), Put("2", 20, 30), Get("2", 32, 33), Get("1", 40, 41)]));

    [Fact]
    public void A_value_that_nobody_wrote_is_rejected() =>
        Assert.Contains("nobody wrote", Assert.Single(RegisterCheck.Violations([Put("1", 0, 10), Get("(gone)", 20, 21)])));

    [Fact]
    public void A_read_before_its_write_is_rejected() =>
        Assert.NotEmpty(RegisterCheck.Violations([Get("1", 0, 5), Put("1", 6, 10)]));

    [Fact]
    public void A_write_of_unknown_outcome_may_take_effect_late_or_never()
    {
        Assert.Empty(RegisterCheck.Violations([Put("1", 0, 10), Put("2", 20, 30, Outcome.Unknown), Get("1", 90, 91), Get("2", 100, 101)]));
        Assert.Empty(RegisterCheck.Violations([Put("1", 0, 10), Put("2", 20, 30, Outcome.Unknown), Get("1", 90, 91)]));
    }

    [Fact]
    public void A_write_of_unknown_outcome_takes_effect_once() =>
        Assert.NotEmpty(RegisterCheck.Violations(
            [Put("2", 0, 30, Outcome.Unknown), Get("2", 40, 41), Put("3", 50, 60), Get("3", 61, 62), Get("2", 70, 71)]));

    [Fact]
    public void A_refused_write_that_is_seen_is_rejected() =>
        Assert.Contains("nothing was executed", Assert.Single(RegisterCheck.Violations([Put("1", 0, 10, Outcome.Failed), Get("1", 20, 21)])));

    [Fact]
    public void Registers_are_judged_one_by_one() =>
        Assert.Empty(RegisterCheck.Violations([Put("1", 0, 10, key: "x"), Put("2", 20, 30, key: "y"), Get("1", 31, 32, key: "x")]));

    /// <summary>Histories of a few operations with random times and values, most of them impossible, judged in two ways.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void It_agrees_with_trying_all_orders(int seed)
    {
        var random = new Random(seed);
        var (accepted, rejected) = (0, 0);
        for (var round = 0; round < 4000; round++)
        {
            var history = RandomHistory(random);
            var byForce = LinearizabilityByForce.Holds(history);
            var violations = RegisterCheck.Violations(history).ToArray();
            Assert.True(byForce == (violations.Length == 0), $"round {round}: {byForce}\n{string.Join('\n', history)}\n{string.Join('\n', violations)}");
            _ = byForce ? accepted++ : rejected++;
        }

        Assert.True(accepted > 500 && rejected > 500, $"{accepted} accepted, {rejected} rejected: not a test of both");
    }

    private static List<Operation> RandomHistory(Random random)
    {
        var history = new List<Operation>();
        var writes = random.Next(1, 5);
        for (var i = 0; i < writes; i++)
        {
            var from = random.Next(40);
            history.Add(Put($"{i}", from, from + random.Next(1, 25), random.Next(4) == 0 ? Outcome.Unknown : Outcome.Ok));
        }

        for (var i = random.Next(1, 5); i > 0; i--)
        {
            var from = random.Next(60);
            history.Add(Get($"{random.Next(writes)}", from, from + random.Next(1, 25)));
        }

        return history;
    }
}
