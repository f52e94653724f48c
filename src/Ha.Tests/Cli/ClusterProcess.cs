using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Ha.Cli.Cluster;
using Ha.Cli.Processes;
using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.Cli;

/// <summary><c>ha cluster</c> in a process of its own, as a script drives it.</summary>
internal sealed partial class ClusterProcess : IDisposable
{
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly ITestOutputHelper _output;
    private readonly Process _process;

    public ClusterProcess(ITestOutputHelper output, params string[] arguments)
    {
        _output = output;
        var command = ChildProcess.Dotnet([typeof(App).Assembly.Location, "cluster", .. arguments]);
        _process = new Process
        {
            StartInfo = new ProcessStartInfo(command[0], command.Skip(1))
            {
                UseShellExecute = false,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            },
        };
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

    public Task SawAsync(string words) =>
        Eventually.True(() => Text.Contains(words, StringComparison.Ordinal), TimeSpan.FromSeconds(60), what: words);

    public Task TellUntilAsync(string line, string pattern) => Eventually.True(async () =>
    {
        Tell(line);
        await Task.Delay(TimeSpan.FromMilliseconds(200));
        return Regex.IsMatch(Text, pattern, RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));
    }, TimeSpan.FromSeconds(60), what: pattern);

    public async Task<int> EndAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        return _process.ExitCode;
    }

    public void AssertGone() => Assert.All(NodePids, pid => Assert.True(Pids.IsGone(pid), $"{pid} still runs"));

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

    [GeneratedRegex(@"started \(pid (?<pid>[0-9]+)\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex StartedPid();
}
