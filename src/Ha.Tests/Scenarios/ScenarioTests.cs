using Ha.Tests.Simulation;
using Xunit.Abstractions;

namespace Ha.Tests.Scenarios;

public class ScenarioTests(ITestOutputHelper output)
{
    public static TheoryData<string> Names => new(ScenarioFiles.Names);

    [Theory]
    [MemberData(nameof(Names))]
    public void The_story_goes_as_told(string name)
    {
        var result = Scenario.Play(ScenarioFiles.Read(name));
        output.WriteLine(result.Trace);
        Assert.True(result.Error is null, $"{name}, {result.Error}");
    }

    [Fact]
    public void Every_scenario_of_the_protocol_has_a_file()
    {
        for (int number = 1; number <= 32; number++)
            Assert.Contains(ScenarioFiles.Names, name => name.StartsWith($"R{number:D2}-", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("cluster A B C\nstart\nrun 10s\nexpect nobody leads", "line 4")]
    [InlineData("cluster A B C\nstart\nfly A", "line 3")]
    [InlineData("cluster A B C\nstart\nrun until B leads within 3s", "line 3")]
    [InlineData("cluster A B C\nstart\nalways nobody leads for 5s", "line 3")]
    public void A_story_that_does_not_go_as_told_names_its_line(string text, string line) =>
        Assert.Contains(line, Scenario.Play(text).Error, StringComparison.Ordinal);
}
