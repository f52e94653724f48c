using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Ha.Tests.Support;
using MinimalApiApp.Cluster;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

/// <summary>The README's first command, as a script drives it.</summary>
[Collection(ProcessTests.Name)]
public partial class ClusterCommandTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_script_sees_a_failover_without_a_failed_write_and_nothing_is_left_running()
    {
        using var run = new Run(output, "--load", "10");
        await run.TellUntilAsync("status", "writes: [1-9]");
        await run.TellUntilAsync("kill leader", @"killed \(SIGKILL, pid \d+\)");
        await run.TellUntilAsync("status", @"killed \(SIGKILL(.|\n)*leads no more(.|\n)*leads in epoch");
        run.Tell("pause c");
        run.Tell("wait 1s");
        run.Tell("quit");
        Assert.Equal(0, await run.EndAsync());
        Assert.Matches("c paused(.|\n)*Writes: [1-9][0-9]* ok, [0-9]+ of them retried, 0 failed", run.Text);
        AssertGone(run);
    }

    [Fact]
    public async Task Nodes_die_with_a_command_that_is_killed_even_those_that_are_paused()
    {
        using var run = new Run(output, "--nodes", "2", "--load", "0");
        await run.TellUntilAsync("pause b", "b paused");
        Posix.Kill(run.Pid);
        await run.EndAsync();
        await Eventually.True(() => run.NodePids.All(IsGone));
        // It could not clean up behind itself.
        Directory.Delete(Path.GetDirectoryName(DataFile().Match(run.Text).Groups[1].Value)!, recursive: true);
    }

    [Fact]
    public async Task It_stops_by_itself_and_SIGTERM_stops_it()
    {
        using var timed = new Run(output, "--nodes", "1", "--for", "1s");
        using var terminated = new Run(output, "--nodes", "1");
        await terminated.SawAsync(" started (pid");
        Posix.Terminate(terminated.Pid);
        Assert.Equal(0, await timed.EndAsync());
        Assert.Equal(0, await terminated.EndAsync());
        AssertGone(timed);
        AssertGone(terminated);
    }

    [Fact]
    public async Task When_no_node_can_start_it_says_why_and_fails()
    {
        using var run = new Run(output, "--nodes", "2", "--interval", "500ms", "--lease", "600ms");
        Assert.NotEqual(0, await run.EndAsync());
        Assert.Contains("BASE_LEASE_TIMEOUT", run.Text, StringComparison.Ordinal);
        AssertGone(run);
    }

    private static void AssertGone(Run run)
    {
        Assert.All(run.NodePids, pid => Assert.True(IsGone(pid), $"{pid} still runs"));
        Assert.False(File.Exists(DataFile().Match(run.Text).Groups[1].Value));
    }

    // A zombie is gone: it only waits for its new parent to take note.
    private static bool IsGone(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return true;
        }
    }

    [GeneratedRegex("Data Source=(?<file>[^,]+),", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex DataFile();

    [GeneratedRegex(@"started \(pid (?<pid>[0-9]+)\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex StartedPid();

    private sealed class Run : IDisposable
    {
        private readonly ConcurrentQueue<string> _lines = new();
        private readonly ITestOutputHelper _output;
        private readonly Process _process;

        public Run(ITestOutputHelper output, params string[] options)
        {
            _output = output;
            var start = NodeProcess.Command(["cluster", .. options]);
            _process = new Process { StartInfo = start };
            _process.OutputDataReceived += (_, line) => _lines.Enqueue(line.Data ?? "");
            _process.ErrorDataReceived += (_, line) => _lines.Enqueue(line.Data ?? "");
            _process.Start();
            _process.BeginOutputReadLine();
            _process.BeginErrorReadLine();
        }

        public int Pid => _process.Id;

        public string Text => string.Join('\n', _lines);

        public IReadOnlyList<int> NodePids => [.. StartedPid().Matches(Text).Select(m => int.Parse(m.Groups[1].ValueSpan, null))];

        public void Tell(string line)
        {
            _process.StandardInput.WriteLine(line);
            _process.StandardInput.Flush();
        }

        public Task SawAsync(string words) => Eventually.True(() => Text.Contains(words, StringComparison.Ordinal), what: words);

        public Task TellUntilAsync(string line, string pattern) => Eventually.True(async () =>
        {
            Tell(line);
            await Task.Delay(TimeSpan.FromMilliseconds(200));
            return Regex.IsMatch(Text, pattern, RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));
        }, TimeSpan.FromSeconds(60), what: pattern);

        public async Task<int> EndAsync()
        {
            await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
            return _process.ExitCode;
        }

        public void Dispose()
        {
            if (!_process.HasExited)
            {
                // Its nodes go with it.
                _process.Kill();
            }

            _output.WriteLine(Text);
            _process.Dispose();
        }
    }
}
