using Ha.Cli.Processes;
using Ha.Configuration;
using Spectre.Console;

namespace Ha.Cli.Nodes;

/// <summary>One run of <c>ha watch</c>, which ends with Ctrl-C, or with whoever reads what it prints.</summary>
internal static class WatchRun
{
    private static readonly TimeProvider _clock = TimeProvider.System;

    public static async Task<ExitCode> RunAsync(Target target, TimeSpan interval, bool json, TextWriter output, CancellationToken stop)
    {
        using var signals = new StopSignals(_clock, withReader: ReferenceEquals(output, Console.Out));
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop, signals.Token);
        var onTerminal = !json && ReferenceEquals(output, Console.Out) && AnsiConsole.Profile.Out.IsTerminal;
        try
        {
            await (onTerminal ? InPlaceAsync(target, interval, ending.Token) : ChangesAsync(target, interval, json, output, ending.Token));
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // As asked.
        }

        return ExitCode.Done;
    }

    private static Task InPlaceAsync(Target target, TimeSpan interval, CancellationToken ending) =>
        AnsiConsole.Live(new Text("")).Overflow(VerticalOverflow.Crop).StartAsync(frame => EachAsync(target, interval, status =>
        {
            // Cut, not wrapped: a line on two would move all below it.
            var foot = $"{_clock.GetLocalNow():HH:mm:ss}, every {DurationText.Format(interval)}; Ctrl-C ends it";
            var width = Math.Max(AnsiConsole.Profile.Width - 1, 1);
            frame.UpdateTarget(new Rows(StatusTable.Lines(status).Append(foot).Select((line, i) =>
                new Text(line.Length <= width ? line : $"{line[..(width - 1)]}…", StyleOf(i, status)))));
        }, ending));

    private static Style StyleOf(int line, ClusterStatus status)
    {
        var row = line > 0 ? status.Nodes.ElementAtOrDefault(line - 1) : null;
        return row is null ? line == status.Nodes.Count + 2 ? new Style(decoration: Decoration.Bold) : new Style(decoration: Decoration.Dim)
            : row.Leads ? new Style(Color.Green)
            : row.IsDown ? new Style(Color.Red)
            : row.Paused || row.Unhealthy ? new Style(Color.Yellow)
            : Style.Plain;
    }

    private static Task ChangesAsync(Target target, TimeSpan interval, bool json, TextWriter output, CancellationToken ending)
    {
        var last = "";
        return EachAsync(target, interval, status =>
        {
            var line = StatusTable.Line(status);
            if (line != last)
            {
                output.WriteLine(json ? CliJson.Line(status) : $"{_clock.GetLocalNow():HH:mm:ss.fff}  {line}");
                output.Flush();
                last = line;
            }
        }, ending);
    }

    private static async Task EachAsync(Target target, TimeSpan interval, Action<ClusterStatus> show, CancellationToken ending)
    {
        using var timer = new PeriodicTimer(interval, _clock);
        do
        {
            show(await target.LookAsync(ending));
        }
        while (await timer.WaitForNextTickAsync(ending));
    }
}
