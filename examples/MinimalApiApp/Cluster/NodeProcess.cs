using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MinimalApiApp.Cluster;

internal enum ProcessState
{
    Running,
    Paused,
    Dead,
}

/// <summary>One node: this application in a process of its own. Thread-safe; signals go by pid, only while the process is ours.</summary>
internal sealed class NodeProcess(string id, string url, IReadOnlyDictionary<string, string?> environment) : IAsyncDisposable
{
    private const int KeptLines = 200;

    // The kernel ends a node when the *thread* that started it ends: one thread, as old as the program, starts them all.
    private static readonly BlockingCollection<Action> _launches = StartLauncher();

    private readonly Lock _lock = new();
    private readonly Queue<string> _output = new();
    private Process? _process;
    private bool _paused;

    public string Id => id;

    public string Url => url;

    /// <summary>The assembly that runs, and arguments before those of a node. This application, unless a test has its own.</summary>
    public IReadOnlyList<string> Program { get; init; } = [typeof(Program).Assembly.Location];

    /// <summary>The process id, also of the last process after it died; 0 before the first start.</summary>
    public int Pid { get; private set; }

    /// <summary>The last exit code; 128 + n after signal n. Null while running.</summary>
    public int? ExitCode { get; private set; }

    /// <summary>How often it was started.</summary>
    public int Starts { get; private set; }

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

    /// <summary>Completes when the process that runs now has ended and its last output was read.</summary>
    public Task WhenDead { get; private set; } = Task.CompletedTask;

    /// <summary>A program and its arguments that become the node, such as <c>ip netns exec name</c>; empty: none.</summary>
    public IReadOnlyList<string> Launcher { get; init; } = [];

    /// <summary>Called with each line the node writes, on a pool thread.</summary>
    public Action<string>? OnLine { get; init; }

    /// <summary>Called on a pool thread when the process has ended, with its exit code.</summary>
    public Action<NodeProcess, int>? OnExited { get; set; }

    public async Task StartAsync()
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _launches.Add(() =>
        {
            try
            {
                StartHere();
                started.SetResult();
            }
            catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException)
            {
                started.SetException(e);
            }
        });
        await started.Task;
    }

    public bool Kill() => Send(p =>
    {
        p.Kill();
        return true;
    });

    public bool Terminate() => Send(p => OperatingSystem.IsWindows() ? Kill() : Posix.Terminate(p.Id));

    public bool Pause() => Send(p => !OperatingSystem.IsWindows() && Posix.Stop(p.Id) && (_paused = true));

    public bool Resume() => Send(p => !OperatingSystem.IsWindows() && Posix.Continue(p.Id) && !(_paused = false));

    /// <summary>SIGTERM, and SIGKILL to what is still there after <paramref name="patience"/>.</summary>
    public async Task StopAsync(TimeSpan patience)
    {
        Resume();
        Terminate();
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

    public async ValueTask DisposeAsync() => await StopAsync(TimeSpan.Zero);

    private void StartHere()
    {
        lock (_lock)
        {
            if (_process is not null)
            {
                return;
            }

            var start = Dotnet([.. Program, "--urls", url, $"--{ParentGuard.Key}", $"{Environment.ProcessId}"]);
            if (Launcher.Count > 0)
            {
                string[] arguments = [.. Launcher.Skip(1), start.FileName, .. start.ArgumentList];
                start.FileName = Launcher[0];
                start.ArgumentList.Clear();
                Array.ForEach(arguments, start.ArgumentList.Add);
            }

            foreach (var (key, value) in environment)
            {
                start.Environment[key] = value;
            }

            var process = new Process { StartInfo = start };
            process.OutputDataReceived += (_, line) => Keep(line.Data);
            process.ErrorDataReceived += (_, line) => Keep(line.Data);
            process.Start();
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            (_process, _paused, Pid, ExitCode) = (process, false, process.Id, null);
            Starts++;
            WhenDead = WatchAsync(process);
        }
    }

    private async Task WatchAsync(Process process)
    {
        await process.WaitForExitAsync();
        var code = process.ExitCode;
        lock (_lock)
        {
            (_process, _paused, ExitCode) = (null, false, code);
        }

        process.Dispose();
        OnExited?.Invoke(this, code);
    }

    /// <summary>This application with other arguments and all three streams at hand.</summary>
    public static ProcessStartInfo Command(params IReadOnlyList<string> arguments) => Dotnet([typeof(Program).Assembly.Location, .. arguments]);

    private static ProcessStartInfo Dotnet(IReadOnlyList<string> command)
    {
        var dotnet = Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet");
        return new ProcessStartInfo(Path.GetFullPath(dotnet), command)
        {
            WorkingDirectory = Path.GetDirectoryName(command[0])!,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
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

    private bool Send(Func<Process, bool> signal)
    {
        lock (_lock)
        {
            return _process is { HasExited: false } process && signal(process);
        }
    }

    private static BlockingCollection<Action> StartLauncher()
    {
        var launches = new BlockingCollection<Action>();
        var thread = new Thread(() =>
        {
            foreach (var launch in launches.GetConsumingEnumerable())
            {
                launch();
            }
        });
        (thread.IsBackground, thread.Name) = (true, "node launcher");
        thread.Start();
        return launches;
    }
}
