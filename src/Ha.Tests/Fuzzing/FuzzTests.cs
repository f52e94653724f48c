using Xunit.Abstractions;

namespace Ha.Tests.Fuzzing;

/// <summary>A second's worth of the `fuzz` command.</summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const int Seed = 20251121;
    private const int Inputs = 10_000;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Nothing_crashes_the_reading_of_heartbeats_and_nothing_unsigned_gets_in(int target)
    {
        var report = FuzzTarget.All[target].Run(Seed + target, Inputs);

        using var text = new StringWriter();
        report.Print(text);
        output.WriteLine(text.ToString());
        Assert.True(report.Clean, string.Join('\n', report.Faults));

        // Some changes change nothing or a free value: with none or all accepted this would test nothing.
        Assert.InRange(report.Of(FuzzReport.Accepted), Inputs / 50, Inputs * 9 / 10);
    }

    [Fact]
    public void What_does_not_hold_is_reported_and_fails_the_run()
    {
        var wrong = new FuzzTarget("wrong", _ => throw new FuzzFault("it got in")).Run(Seed, 3);
        var crash = new FuzzTarget("crash", mutator => throw new InvalidOperationException("broken")).Run(Seed, 30);

        Assert.False(wrong.Clean);
        Assert.Equal((3, 0), (wrong.WrongAnswers, wrong.Crashes));
        Assert.Equal($"wrong, input 2 of seed {Seed}: it got in", wrong.Faults[2]);
        Assert.Equal((0, 30), (crash.WrongAnswers, crash.Crashes));
        Assert.Contains("broken", crash.Faults[0], StringComparison.Ordinal);
    }
}
