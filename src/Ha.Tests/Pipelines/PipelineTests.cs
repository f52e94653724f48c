using Xunit.Abstractions;

namespace Ha.Tests.Pipelines;

/// <summary>Some seconds' worth of the `pipelines` command.</summary>
public sealed class PipelineTests(ITestOutputHelper output)
{
    private const int From = 20251121;
    private const int Seeds = 300;

    [Fact]
    public async Task Whatever_the_pipeline_a_write_is_executed_at_most_once_and_nothing_false_is_said_of_it()
    {
        var runs = new PipelineRuns { MostFailures = 3 };

        await runs.RunAsync([.. Enumerable.Range(From, Seeds)]);

        output.WriteLine($"seeds {From} to {From + Seeds - 1}: {runs.Cases} cases, {runs.Requests} requests");
        Assert.True(runs.Failed.Count == 0, string.Join('\n', runs.Failed.Select(PipelineReport.Tell)));
    }
}
