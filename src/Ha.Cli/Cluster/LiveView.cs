using Ha.Cli.Processes;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Ha.Cli.Cluster;

/// <summary>The terminal view. Draws what watcher, load and events say; decides nothing.</summary>
internal sealed class LiveView(LocalCluster cluster, NodeWatcher watcher, WriteLoad load, EventLog events, TimeProvider clock)
{
    private const int BarCells = 8;
    private static readonly TimeSpan _frameTime = TimeSpan.FromMilliseconds(100);
    private readonly long _start = clock.GetTimestamp();

    /// <summary>The node that the next key acts on; null: the leader.</summary>
    public NodeProcess? Chosen { get; set; }

    private static int Width => AnsiConsole.Profile.Width;

    private static bool Wide => Width >= 100;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await AnsiConsole.Live(new Text("")).Overflow(VerticalOverflow.Crop).StartAsync(async frame =>
        {
            using var timer = new PeriodicTimer(_frameTime, clock);
            do
            {
                frame.UpdateTarget(Draw());
            }
            while (await timer.WaitForNextTickAsync(cancellationToken));
        });
    }

    private Rows Draw()
    {
        var nodes = NodeTable();
        // Title 1, table 4 + nodes, writes 4, event frame 2, keys 2, and one free line so that nothing scrolls.
        var room = AnsiConsole.Profile.Height - 14 - cluster.Nodes.Count;
        return new Rows(Title(), nodes, Writes(), Events(Math.Max(room, 1)), Keys());
    }

    private Markup Title()
    {
        var settings = cluster.Settings;
        return new Markup($"[bold]{Markup.Escape(cluster.App.Name)} on {cluster.Nodes.Count} nodes[/] [grey]· {settings.Mode}"
            + $" · heartbeat {Durations.Show(settings.EffectiveInterval)} · lease {Durations.Show(settings.EffectiveLease)}"
            + $" · up {clock.GetElapsedTime(_start):mm\\:ss}[/]");
    }

    private Table NodeTable()
    {
        var table = new Table().Border(TableBorder.Rounded).BorderColor(Color.Grey).Expand();
        table.AddColumns("node", "state", "epoch", "lease left", "pid", Wide ? "try it in a browser" : "port");
        table.Columns[4].RightAligned();
        for (var i = 0; i < cluster.Nodes.Count; i++)
        {
            var status = watcher.Status[i];
            var (role, node) = (StatusWords.Role(status), status.Node);
            var mark = ReferenceEquals(node, Chosen) ? "[bold yellow]▸[/]" : " ";
            table.AddRow(
                $"{mark}[grey]{i + 1}[/] [bold]{node.Id}[/]",
                $"[{ColorOf(role)}]{(status.Leads ? "★ " : "")}{Markup.Escape(role)}[/]",
                status.Answers && status.Epoch > 0 ? $"{status.Epoch}" : "[grey]–[/]",
                LeaseBar(status),
                node.State == ProcessState.Dead ? "[grey]–[/]" : $"{node.Pid}",
                Wide ? node.Url : $":{new Uri(node.Url).Port}");
        }

        return table;
    }

    private string LeaseBar(NodeStatus status)
    {
        if (!status.Leads)
        {
            return "";
        }

        var left = clock.GetElapsedTime(clock.GetTimestamp(), status.LeaseUntil);
        var part = Math.Clamp(left / cluster.Settings.EffectiveLease, 0, 1);
        var cells = (int)Math.Ceiling(part * BarCells);
        var color = part > 0.5 ? "green" : part > 0.2 ? "yellow" : "red";
        return $"[{color}]{new string('█', cells)}[/][grey]{new string('░', BarCells - cells)}[/] {Math.Max(left.TotalSeconds, 0):0.0} s";
    }

    private Panel Writes()
    {
        var text = cluster.Settings.Load is null ? "[grey]none; --load 'POST /path {\"some\":\"json\"}' sends them through the followers[/]"
            : load is { Ok: 0, LastTrouble.Length: > 0 }
                ? $"[red]{load.Failed}[/] failed  [grey]last trouble[/] {Markup.Escape(Cut(load.LastTrouble, Width - 40))}"
            : load.Ok + load.Failed == 0 ? "[grey]waiting for a leader[/]"
            : $"[green]{load.Ok}[/] ok  [yellow]{load.Retried}[/] retried  [{(load.Failed > 0 ? "red" : "grey")}]{load.Failed}[/] failed"
                + $"  [grey]last[/] {Durations.Show(load.LastTook)}  [grey]longest gap[/] {Durations.Show(load.LongestGap)}";
        var room = Math.Max(Width - 4, 10);
        var title = cluster.Settings.Load is null ? " writes " : $" writes, {cluster.Settings.Rate}/s through the followers ";
        return Frame(title, new Rows(new Markup(text), new Markup(Spark(room))));
    }

    private string Spark(int cells)
    {
        const string Levels = " ▁▂▃▄▅▆▇█";
        var counts = load.Recent(cells);
        var top = Math.Max(counts.Max(), 1);
        return $"[green]{string.Concat(counts.Select(n => Levels[(n * (Levels.Length - 1) + top - 1) / top]))}[/]";
    }

    private Panel Events(int room)
    {
        var lines = events.Last(room).Select(e =>
            $"[grey]{e.At:HH:mm:ss.fff}[/]  {(e.Important ? "[bold]" : "[grey]")}{Markup.Escape(Cut(e.Text, Width - 20))}[/]");
        var text = string.Join('\n', lines);
        return Frame(" events ", new Rows(new Markup(text), new Text(new string('\n', Math.Max(room - events.Last(room).Count - 1, 0)))));
    }

    private Rows Keys()
    {
        var on = Chosen is { } node ? $"node [bold yellow]{node.Id}[/] (esc: the leader)" : "[bold yellow]the leader[/]";
        return new Rows(
            new Markup($"[grey]keys act on[/] {on}[grey], choose with 1–{cluster.Nodes.Count}[/]"),
            new Markup("[bold]k[/]ill  [bold]p[/]ause  [bold]c[/]ontinue  [bold]r[/]estart  [bold]s[/]tep down  [bold]t[/]erminate  [bold]q[/]uit"));
    }

    private static Panel Frame(string title, IRenderable inside) =>
        new Panel(inside) { Header = new PanelHeader(title), Border = BoxBorder.Rounded, Expand = true }.BorderColor(Color.Grey);

    private static string ColorOf(string role) => role switch
    {
        "leader" => "bold green",
        "dead" => "red",
        "paused" => "yellow",
        "silent" or "starting" => "grey",
        _ => "default",
    };

    private static string Cut(string text, int width) => text.Length <= width ? text : text[..Math.Max(width - 1, 1)] + "…";
}
