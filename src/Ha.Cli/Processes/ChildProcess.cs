using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Ha.Cli.Processes;

internal enum ProcessState
{
    Running,
    Paused,
    Dead,
}

/// <summary>
/// Any program in the background, which can be started again. It and all that it starts end with this process, however
/// that ends (on Windows: unless this process is killed). Thread-safe; signals go by id, only while the process is ours.
/// </summary>
/// <remarks>
/// The program leads a session of its own, so a signal reaches what it started too, and the terminal's Ctrl-C reaches us
/// alone. A shell that no signal to the session stops waits for the end of our pipe, and kills what is left then.
/// </remarks>
internal class ChildProcess(IReadOnlyList<string> command) : IAsyncDisposable
{
    private const int KeptLines = 200;

    private static readonly TimeSpan _lastWords = TimeSpan.FromSeconds(2);
    private static readonly string? _setsid = Array.Find(["/usr/bin/setsid", "/bin/setsid"], File.Exists);

    // Both become the program, so that its id is the one we know. Without setsid (macOS) it stays in our group, alone.
    private static readonly string _asIs = $$"""
        exec 3<&0
        ( {{_setsid}} sh -c 'read -r _; kill -s KILL -- "$1"' sh "{{(_setsid is null ? "" : "-")}}$$" <&3 >/dev/null 2>&1 & )
        exec "$@" </dev/null 3<&-
        """;

    private readonly Lock _lock = new();
    private readonly Queue<string> _output = new();
    private Process? _process;
    private bool _paused;

    /// <summary>Variables over those of this process, null to take one away. Read at each start.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>(StringComparer.Ordinal);

    /// <summary>Where it runs; null: where this process does.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Called with each line it writes, on a pool thread.</summary>
    public Action<string>? OnLine { get; init; }

    /// <summary>Called on a pool thread when it has ended, with its exit code.</summary>
    public Action<int>? OnExited { get; set; }

    /// <summary>The process id, also of the last process after it died; 0 before the first start.</summary>
    public int Pid { get; private set; }

    /// <summary>The last exit code; 128 + n after signal n. Null while running.</summary>
    public int? ExitCode { get; private set; }

    /// <summary>How often it was started.</summary>
    public int Starts { get; private set; }

    /// <summary>Completes when the process that runs now has ended and its last output was read.</summary>
    public Task WhenDead { get; private set; } = Task.CompletedTask;

    public ProcessState State
    {
        get
        {
            lock (_lock)
            {
                return _process is null ? ProcessState.Dead : _paused ? ProcessState.Paused : ProcessState.Running;
            }
        }
    }

    /// <summary>The last lines it wrote, both streams.</summary>
    public IReadOnlyList<string> Output
    {
        get
        {
            lock (_output)
            {
                return [.. _output];
            }
        }
    }

    /// <summary>A command line of the <c>dotnet</c> that runs this process; of the one on the path if this is native code.</summary>
    public static IReadOnlyList<string> Dotnet(params IReadOnlyList<string> arguments)
    {
        var host = Path.GetFullPath(
            Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet"));
        return [File.Exists(host) ? host : "dotnet", .. arguments];
    }

    /// <summary>Starts it unless it runs.</summary>
    public void Start()
    {
        lock (_lock)
        {
            if (_process is not null)
            {
                return;
            }

            var process = new Process { StartInfo = StartInfo(), EnableRaisingEvents = true };
            process.OutputDataReceived += (_, line) => Keep(line.Data);
            process.ErrorDataReceived += (_, line) => Keep(line.Data);
            var exited = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            process.Exited += (_, _) => exited.SetResult();
            process.Start();
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            (_process, _paused, Pid, ExitCode) = (process, false, process.Id, null);
            Starts++;
            WhenDead = WatchAsync(process, exited.Task);
        }
    }

    public bool Kill() => Signal(Posix.SigKill);

    public bool Terminate() => Signal(Posix.SigTerm);

    public bool Pause() => Signal(Posix.SigStop, pauses: true);

    public bool Resume() => Signal(Posix.SigCont, pauses: false);

    /// <summary>Windows knows one signal, which ends it at once, and cannot pause.</summary>
    public bool Signal(int signal) => Signal(signal, pauses: null);

    /// <summary>SIGTERM or what is given, and SIGKILL to what is still there after <paramref name="patience"/>.</summary>
    public async Task StopAsync(TimeSpan patience, int signal = Posix.SigTerm)
    {
        Resume();
        Signal(signal);
        try
        {
            await WhenDead.WaitAsync(patience);
        }
        catch (TimeoutException)
        {
            Kill();
            await WhenDead;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        GC.SuppressFinalize(this);
    }

    /// <summary>Changes what it inherits from this process, before <see cref="Environment"/> does.</summary>
    protected virtual void Prepare(IDictionary<string, string?> environment)
    {
    }

    private ProcessStartInfo StartInfo()
    {
        IReadOnlyList<string> line = OperatingSystem.IsWindows() ? command
            : [.. _setsid is null ? Array.Empty<string>() : [_setsid], "/bin/sh", "-c", _asIs, "sh", .. command];
        var start = new ProcessStartInfo(line[0], line.Skip(1))
        {
            WorkingDirectory = WorkingDirectory,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Prepare(start.Environment);
        foreach (var (key, value) in Environment)
        {
            start.Environment[key] = value;
        }

        return start;
    }

    private bool Signal(int signal, bool? pauses)
    {
        lock (_lock)
        {
            if (_process is not { HasExited: false } process)
            {
                return false;
            }

            if (OperatingSystem.IsWindows())
            {
                if (pauses is null)
                {
                    process.Kill(entireProcessTree: true);
                }

                return pauses is null;
            }

            var done = Posix.Signal(process.Id, signal);
            _paused = done ? pauses ?? _paused : _paused;
            return done;
        }
    }

    private async Task WatchAsync(Process process, Task exited)
    {
        await exited;
        // Ends what it has left behind, which else could keep its output open.
        process.StandardInput.Close();
        await ReadToEndAsync(process);
        var code = process.ExitCode;
        lock (_lock)
        {
            (_process, _paused, ExitCode) = (null, false, code);
        }

        process.Dispose();
        OnExited?.Invoke(code);
    }

    /// <summary>What has left the session keeps the output open for as long as it lives.</summary>
    private static async Task ReadToEndAsync(Process process)
    {
        using var limit = new CancellationTokenSource(_lastWords);
        await process.WaitForExitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Keep(string? line)
    {
        if (line is null)
        {
            return;
        }

        OnLine?.Invoke(line);
        lock (_output)
        {
            _output.Enqueue(line);
            while (_output.Count > KeptLines)
            {
                _output.Dequeue();
            }
        }
    }
}
