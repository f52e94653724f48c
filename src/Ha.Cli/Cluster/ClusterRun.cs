using Ha.Cli.Processes;
using Spectre.Console;

namespace Ha.Cli.Cluster;

/// <summary>One run of <c>ha cluster</c>, from the first process to the last.</summary>
internal sealed class ClusterRun : IAsyncDisposable
{
    private static readonly TimeProvider _clock = TimeProvider.System;
    private static readonly TimeSpan _startPatience = TimeSpan.FromSeconds(60);

    private const int Killed = 128 + 9;

    private readonly EventLog _events = new(_clock);
    private readonly TaskCompletionSource<string> _failure = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly LocalCluster _cluster;
    private readonly NodeWatcher _watcher;
    private readonly WriteLoad _load;
    private readonly ClusterOperator _operator;
    private bool _ending;

    private ClusterRun(App app, ClusterSettings settings)
    {
        _cluster = new LocalCluster(app, settings);
        _watcher = new NodeWatcher(_cluster, _events, _clock);
        _load = new WriteLoad(_cluster, _watcher, _clock);
        _operator = new ClusterOperator(_cluster, _watcher, _load, _events, _clock);
        foreach (var node in _cluster.Nodes)
        {
            node.OnExited = code => OnExited(node, code);
        }
    }

    public static async Task<int> RunAsync(string target, IReadOnlyList<string> arguments, ClusterSettings settings)
    {
        using var signals = new StopSignals(_clock);
        try
        {
            var app = await App.FindAsync(target, arguments, signals.Token);
            await using var run = new ClusterRun(app, settings);
            return await run.UntilStoppedAsync(signals.Token);
        }
        catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
        {
            // During the build.
            return 0;
        }
        catch (AppException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _ending = true;
        await _cluster.DisposeAsync();
        _watcher.Dispose();
        _load.Dispose();
    }

    private async Task<int> UntilStoppedAsync(CancellationToken stop)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var view = ViewAsync(ending.Token, out var keys);
        _cluster.Start();
        foreach (var node in _cluster.Nodes)
        {
            _events.Add($"{node.Id} started (pid {node.Pid}) at {node.Url}");
        }

        // Whatever ends first ends the run: a person, a script, the time, a failure.
        var commands = Console.IsInputRedirected ? ScriptAsync(ending.Token) : keys;
        var time = Task.Delay(_cluster.Settings.For ?? Timeout.InfiniteTimeSpan, _clock, ending.Token);
        var watching = _watcher.RunAsync(ending.Token);
        var writing = _load.RunAsync(ending.Token);
        var judging = JudgeStartAsync(ending.Token);
        var first = await Task.WhenAny([commands, time, watching, view, judging, _failure.Task, .. _cluster.Settings.Load is null ? [] : new[] { writing }]);

        _ending = true;
        await ending.CancelAsync();
        // The view puts the terminal back before anything else is written to it.
        await Task.WhenAny(Task.WhenAll(view, watching, writing, judging));
        if (first == _failure.Task)
        {
            throw new AppException(await _failure.Task);
        }

        if (!stop.IsCancellationRequested)
        {
            await first;
        }

        Console.WriteLine($"{(_cluster.Settings.Load is null ? "" : $"Writes: {StatusWords.Writes(_load)}. ")}Stopping all nodes.");
        return 0;
    }

    private Task ViewAsync(CancellationToken ending, out Task keys)
    {
        keys = Task.Delay(Timeout.Infinite, ending);
        if (!AnsiConsole.Profile.Out.IsTerminal)
        {
            var plain = new PlainView(_cluster, _load, _events, _clock);
            plain.Start();
            return plain.RunAsync(ending);
        }

        var live = new LiveView(_cluster, _watcher, _load, _events, _clock);
        if (!Console.IsInputRedirected)
        {
            keys = new Keyboard(_cluster, live, _operator, _clock).RunAsync(ending);
        }

        return OnOtherScreenAsync(() => live.RunAsync(ending));
    }

    /// <summary>The shell's own screen comes back as it was.</summary>
    private static async Task OnOtherScreenAsync(Func<Task> show)
    {
        AnsiConsole.Console.Write(new ControlCode("\u001b[?1049h\u001b[H"));
        try
        {
            await show();
        }
        finally
        {
            AnsiConsole.Console.Write(new ControlCode("\u001b[?1049l"));
        }
    }

    private async Task ScriptAsync(CancellationToken ending)
    {
        using var input = new StreamReader(Console.OpenStandardInput());
        // Task.Run: reading a pipe blocks its thread.
        while (await Task.Run(() => input.ReadLine(), ending) is { } line)
        {
            if (!await _operator.DoLineAsync(line, ending))
            {
                return;
            }
        }

        // The script's end is not the run's: it goes on until --for is over or a signal comes.
        await Task.Delay(Timeout.Infinite, ending);
    }

    private void OnExited(NodeProcess node, int code)
    {
        if (_ending)
        {
            return;
        }

        _events.Add($"{node.Id} ended ({(code > 128 ? $"signal {code - 128}" : $"exit code {code}")})", important: true);
        if (code is not (0 or Killed) && Complaint(node) is [var complaint, ..])
        {
            _events.Add($"{node.Id} said: {complaint.Trim()}");
        }

        if (_cluster.Nodes.All(n => n is { State: ProcessState.Dead, Starts: 1, ExitCode: not Killed } && (n.ExitCode != 0 || !_watcher.AnyAnswered)))
        {
            _failure.TrySetResult($"No node came up. Node {node.Id} ended with exit code {code} and said:\n  {string.Join("\n  ", Complaint(node).Take(8))}");
        }
    }

    /// <summary>Processes that run and are no nodes would be waited for in vain.</summary>
    private async Task JudgeStartAsync(CancellationToken ending)
    {
        for (var start = _clock.GetTimestamp(); !_watcher.AnyAnswered; await Task.Delay(TimeSpan.FromMilliseconds(200), _clock, ending))
        {
            foreach (var node in _cluster.Nodes.Where(n => n.State == ProcessState.Running))
            {
                if (await _watcher.IsForeignAsync(node, ending))
                {
                    _failure.TrySetResult($"Node {node.Id} serves {node.Url}, but not /_ha/healthz: does the application call builder.Services.AddHa()?");
                }
                else if (_clock.GetElapsedTime(start) > _startPatience)
                {
                    _failure.TrySetResult($"Node {node.Id} runs, but after {_startPatience.TotalSeconds} s nothing answers at {node.Url}. A node is told "
                        + "where to listen by ASPNETCORE_URLS; Kestrel:Endpoints, UseUrls() and a launch profile win over that.");
                }
            }
        }

        await Task.Delay(Timeout.Infinite, ending);
    }

    /// <summary>What a .NET process says when it gives up; if it said nothing like it, its last words.</summary>
    private static IReadOnlyList<string> Complaint(NodeProcess node)
    {
        const string Mark = "Unhandled exception. ";
        var output = node.Output;
        var lines = output.SkipWhile(l => !l.StartsWith(Mark, StringComparison.Ordinal)).ToArray();
        return lines.Length > 0 ? [lines[0][Mark.Length..], .. lines[1..]] : [.. output.TakeLast(1)];
    }
}
