using System.CommandLine;
using Ha.Chaos.Nodes;
using Ha.Cli.Cluster;
using Spectre.Console;

namespace Ha.Tests.Processes;

/// <summary>
/// `lease-writes --store postgres|pgbouncer|redis`: real processes of the example that elect through a real store, under
/// writes with keys, while leaders and the store are taken away. Shows what that cost, and judges it.
/// </summary>
internal static class LeaseWritesCommand
{
    public const string Usage = "lease-writes [--store postgres] [--rounds 20] [--rate 200] [--nodes 3] [--interval 500] [--slack 0]";

    // Fewer have no median worth the name.
    private const int LeastStepDowns = 5;

    // What holds on a machine with time for it; where it has none, all may take --slack more.
    private static readonly TimeSpan _killBeyondLease = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan _backWithin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _stepDownMedian = TimeSpan.FromMilliseconds(50);

    public static int Run(string[] args, TextWriter console)
    {
        var store = new Option<string>("--store") { DefaultValueFactory = _ => StoreKind.Postgres.Word() };
        store.AcceptOnlyFromAmong([.. Enum.GetValues<StoreKind>().Where(k => k != StoreKind.Peers).Select(StoreKinds.Word)]);
        var rounds = new Option<int>("--rounds") { Description = "How often each fault is made.", DefaultValueFactory = _ => 20 };
        var rate = new Option<int>("--rate") { DefaultValueFactory = _ => OpenLoad.DefaultRate };
        var nodes = new Option<int>("--nodes") { Description = "How many at first; one more joins.", DefaultValueFactory = _ => 3 };
        var interval = new Option<int>("--interval") { Description = "A third of the lease, in ms.", DefaultValueFactory = _ => 500 };
        var slack = new Option<int>("--slack") { Description = "How many ms more than on a machine with time for it everything may take.", DefaultValueFactory = _ => 0 };
        var command = new RootCommand("Takes leaders and their store away under load, and counts failed writes.")
        {
            store, rounds, rate, nodes, interval, slack,
        };
        command.SetAction(parsed => RunAsync(
            StoreKinds.Parse(parsed.GetValue(store)!), parsed.GetValue(rounds), parsed.GetValue(rate), parsed.GetValue(nodes),
            TimeSpan.FromMilliseconds(parsed.GetValue(interval)), TimeSpan.FromMilliseconds(parsed.GetValue(slack)), console));
        return command.Parse(args).Invoke();
    }

    private static async Task<int> RunAsync(StoreKind kind, int rounds, int rate, int nodes, TimeSpan interval, TimeSpan slack, TextWriter console)
    {
        if ((kind.WhyNot() ?? StoreKind.Postgres.WhyNot()) is { } obstacle)
        {
            console.WriteLine($"skipped: {obstacle}");
            return 0;
        }

        await using var store = await StoreBed.StartAsync(kind, nodes + 1);
        await using var cluster = await ExampleCluster.StartAsync(new Silence(), new ClusterSettings
        {
            Nodes = nodes + 1,
            Started = nodes,
            Interval = interval,
            Mode = "proxy",
            NodeEnvironment = store.Environment,
        }, store.Notes);
        await cluster.WaitForLeaderAsync();
        await using var claims = new ClaimRecord(cluster.Nodes);
        await using var load = new OpenLoad(cluster, rate, [.. cluster.Nodes.Take(nodes).Select(n => (Door)n)]) { Keys = true };
        var began = TimeProvider.System.GetTimestamp();
        string At(long moment) => $"{TimeProvider.System.GetElapsedTime(began, moment).TotalSeconds,7:0.00}";
        void Say(string line) => console.WriteLine($"{At(TimeProvider.System.GetTimestamp())} {line}");
        var trials = new LeaseTrials(cluster, store, load, slack, Say);

        // Step 1: leaders and the store fail; what is planned follows.
        await trials.DisturbAsync(rounds);
        await trials.StepDownAsync(Math.Max(rounds, LeastStepDowns));
        await trials.JoinAsync(cluster.Nodes[^1]);
        var rolling = TimeProvider.System.GetTimestamp();
        await new WriteTrials(cluster, load, Say).RestartEachAsync();
        var rolled = TimeProvider.System.GetTimestamp();
        await trials.LeaveAsync(cluster.A);
        await trials.StoreAwayAsync();

        // Step 2: everything must be there once.
        await load.StopAsync();
        var (lost, doubled) = load.Results.Against(await cluster.NotesAsync(cluster.B));
        var failed = load.Failures.Where(f => !trials.IsWhileStoreIsAway(f)).OrderBy(f => f.DueAt).ToArray();
        foreach (var same in failed.GroupBy(f => (f.Door.Id, f.Failure)))
        {
            console.WriteLine($"{At(same.First().DueAt)} to {At(same.Last().DueAt)} failed: {same.Count()} through {same.Key.Failure}");
        }

        var inRoll = failed.Count(f => f.DueAt >= rolling && f.DueAt <= rolled);
        var unknown = load.Failures.Count(f => !f.IsNotExecuted);
        var overlaps = await claims.EndAsync();

        // Step 3: the verdict.
        AnsiConsole.Profile.Width = Math.Max(AnsiConsole.Profile.Width, 160);
        AnsiConsole.Write(Table(trials));
        trials.Broken.AddRange(overlaps);
        Limit(trials, LeaseTrials.Kill, c => c.Max(), cluster.Lease + _killBeyondLease + slack);
        Limit(trials, LeaseTrials.Back, c => c.Max(), _backWithin + slack);
        if (kind != StoreKind.PgBouncer)
        {
            // A pool in transaction mode passes no notifications on: there the successor learns it when it asks next.
            Limit(trials, LeaseTrials.StepDown, Median, _stepDownMedian + slack);
        }

        trials.Broken.ForEach(b => console.WriteLine($"does not hold: {b}"));
        console.WriteLine($"{kind.Word()}, {nodes} nodes, lease {cluster.Lease.TotalMilliseconds:0} ms: {load.Results.Count} writes, acknowledged {lost} lost, {doubled} doubled; "
            + $"failed in the roll {inRoll}, else {failed.Length - inRoll}, while the store was away {load.Failures.Count() - failed.Length}, "
            + $"of all these {unknown} of unknown outcome; "
            + $"{claims.Count} claims to lead in {claims.Epochs} epochs, {overlaps.Count} overlaps");
        return inRoll + lost + doubled + trials.Broken.Count == 0 ? 0 : 1;
    }

    private static void Limit(LeaseTrials trials, string what, Func<IReadOnlyList<TimeSpan>, TimeSpan> measure, TimeSpan most)
    {
        if (trials.Costs.TryGetValue(what, out var costs) && measure([.. costs.Select(c => c.First)]) is var cost && cost > most)
        {
            trials.Broken.Add($"{what}: {cost.TotalMilliseconds:0} ms, at most {most.TotalMilliseconds:0} ms");
        }
    }

    private static Table Table(LeaseTrials trials)
    {
        var table = new Table().MarkdownBorder();
        table.AddColumn("from … to the first acknowledged write of those due since");
        foreach (var column in (string[])["times", "median", "longest", "longest wait, median", "longest wait"])
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach (var (what, costs) in trials.Costs)
        {
            TimeSpan[] first = [.. costs.Select(c => c.First)], worst = [.. costs.Select(c => c.Worst)];
            table.AddRow(what, $"{costs.Count}", Shown(Median(first)), Shown(first.Max()), Shown(Median(worst)), Shown(worst.Max()));
        }

        return table;
    }

    private static string Shown(TimeSpan time) => time == TimeSpan.Zero ? "" : $"{time.TotalMilliseconds:0} ms";

    private static TimeSpan Median(IReadOnlyList<TimeSpan> costs) => costs.Order().ElementAt(costs.Count / 2);
}
