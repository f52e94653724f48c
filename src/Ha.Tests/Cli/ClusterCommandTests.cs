using Ha.Cli.Processes;
using Ha.Tests.Processes;
using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.Cli;

/// <summary>The README's first command, with the example's assembly.</summary>
[Collection(ProcessTests.Name)]
public sealed class ClusterCommandTests(ITestOutputHelper output) : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notes-cluster-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_script_sees_a_failover_without_a_failed_write_and_nothing_is_left_running()
    {
        using var run = Run("--load", """POST /notes {"text":"load"}""", "--rate", "10");
        await run.TellUntilAsync("status", "writes: [1-9]");
        await run.TellUntilAsync("kill leader", @"killed \(SIGKILL, pid \d+\)");
        await run.TellUntilAsync("status", @"killed \(SIGKILL(.|\n)*leads no more(.|\n)*leads in epoch");
        await run.TellUntilAsync("pause leader", "[abc] paused");
        run.Tell("wait 1s");
        run.Tell("quit");
        Assert.Equal(0, await run.EndAsync());
        Assert.Matches("[abc] paused(.|\n)*Writes: [1-9][0-9]* ok, [0-9]+ of them retried, 0 failed", run.Text);
        run.AssertGone();
    }

    [Fact]
    public async Task Nodes_die_with_a_command_that_is_killed_even_those_that_are_paused()
    {
        using var run = Run("--nodes", "2");
        await run.TellUntilAsync("pause b", "b paused");
        Assert.Equal(2, run.NodePids.Count);
        Posix.Signal(run.Pid, Posix.SigKill);
        await run.EndAsync();
        await Eventually.True(() => run.NodePids.All(Pids.IsGone));
    }

    [Fact]
    public async Task It_stops_by_itself_and_SIGTERM_stops_it()
    {
        using var timed = Run("--nodes", "1", "--for", "1s");
        using var terminated = Run("--nodes", "1");
        await terminated.SawAsync(" started (pid");
        Posix.Signal(terminated.Pid, Posix.SigTerm);
        Assert.Equal(0, await timed.EndAsync());
        Assert.Equal(0, await terminated.EndAsync());
        timed.AssertGone();
        terminated.AssertGone();
    }

    [Fact]
    public async Task When_no_node_can_start_it_says_why_and_fails()
    {
        using var run = Run("--nodes", "2", "--interval", "500ms", "--lease", "600ms");
        Assert.Equal(1, await run.EndAsync());
        Assert.Contains("BASE_LEASE_TIMEOUT", run.Text, StringComparison.Ordinal);
        run.AssertGone();
    }

    private ClusterProcess Run(params string[] options) => new(output,
        [typeof(MinimalApiApp.Program).Assembly.Location, "--env", $"ConnectionStrings__Notes=Data Source={_folder.FullName}/notes.db", .. options]);
}
