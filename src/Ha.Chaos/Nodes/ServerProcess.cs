using Ha.Cli.Processes;

namespace Ha.Chaos.Nodes;

/// <summary>A server of the machine's own packages, with all the processes that it starts.</summary>
/// <param name="name">For people.</param>
/// <param name="command">Runs it in the foreground.</param>
/// <param name="answers">Whether it serves by now; false, not an exception, while it does not.</param>
/// <param name="log">Gets what it says.</param>
internal sealed class ServerProcess(string name, string[] command, Func<CancellationToken, Task<bool>> answers, string log) : IAsyncDisposable
{
    // One that found no room, or was told to end while it began, is started again as a supervisor would.
    private const int MostStarts = 5;
    private static readonly TimeSpan _stopPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _askAgain = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private ChildProcess? _process;

    public string Name => name;

    /// <summary>The signals that tell it to end, with the word that its makers have for each.</summary>
    public IReadOnlyList<(int Signal, string Word)> Ends { get; init; } = [(Posix.SigTerm, "terminated")];

    private ChildProcess Process => _process ??= new ChildProcess(command) { WorkingDirectory = "/", OnLine = Log };

    /// <summary>Starts it unless it runs, and waits until it answers.</summary>
    /// <exception cref="InvalidOperationException">It ends again and again.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        for (var starts = 0; ;)
        {
            if (Process.State == ProcessState.Dead)
            {
                if (starts++ == MostStarts)
                {
                    throw new InvalidOperationException($"{name} ended with {Process.ExitCode}, see {log}");
                }

                Process.Start();
            }

            if (await answers(cancellationToken))
            {
                return;
            }

            await Task.Delay(_askAgain, TimeProvider.System, cancellationToken);
        }
    }

    /// <summary>One of <see cref="Ends"/>, and SIGKILL to what is still there much later.</summary>
    public Task StopAsync(int signal) => Process.StopAsync(_stopPatience, signal);

    /// <summary>SIGKILL to all of it. Returns when nothing is left.</summary>
    public async Task KillAsync()
    {
        // Stopped first: it starts nothing while its processes are listed.
        Process.Pause();
        var others = ProcessTree.Below(Process.Pid);
        Process.Kill();
        Signal(others, Posix.SigKill);
        await Process.WhenDead;
        while (!others.All(ProcessTree.IsGone))
        {
            await Task.Delay(_askAgain, TimeProvider.System, CancellationToken.None);
        }
    }

    public void Pause()
    {
        Process.Pause();
        Signal(ProcessTree.Below(Process.Pid), Posix.SigStop);
    }

    public void Resume()
    {
        Signal(ProcessTree.Below(Process.Pid), Posix.SigCont);
        Process.Resume();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { State: not ProcessState.Dead })
        {
            Resume();
            await KillAsync();
        }
    }

    private static void Signal(IEnumerable<int> pids, int signal)
    {
        foreach (var pid in pids)
        {
            Posix.Signal(pid, signal);
        }
    }

    private void Log(string line)
    {
        lock (_lock)
        {
            File.AppendAllText(log, line + "\n");
        }
    }
}
