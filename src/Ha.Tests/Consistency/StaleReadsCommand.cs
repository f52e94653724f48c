using System.CommandLine;
using Ha.Chaos.Nodes;
using Ha.Cli.Cluster;
using Ha.Tests.Orders;
using Ha.Tests.Processes;

namespace Ha.Tests.Consistency;

/// <summary>
/// `stale-reads --pairs N`: three nodes of the example, two of which read from a hot standby that applies everything late. Clients write
/// to one node and read what they wrote from another, first without and then with positions; half-way leadership moves to a node that
/// reads from the standby. Then the standby applies nothing any more, is killed and comes back, and the primary is killed and comes back.
/// </summary>
internal static class StaleReadsCommand
{
    public const string Usage = "stale-reads [--pairs 10000] [--clients 64] [--lag 800]";

    // Of a tenth of the pairs each.
    private const int MostRounds = 20;

    private static readonly TimeSpan _startUp = TimeSpan.FromMinutes(1);

    public static int Run(string[] args, TextWriter console)
    {
        var pairs = new Option<int>("--pairs") { DefaultValueFactory = _ => 10_000 };
        var clients = new Option<int>("--clients") { DefaultValueFactory = _ => 64 };
        var lag = new Option<int>("--lag") { Description = "How many ms late the standby applies.", DefaultValueFactory = _ => 800 };
        var command = new RootCommand("Reads what was just written from nodes that lag behind.") { pairs, clients, lag };
        command.SetAction(parsed => RunAsync(
            parsed.GetValue(pairs), parsed.GetValue(clients), TimeSpan.FromMilliseconds(parsed.GetValue(lag)), console));
        return command.Parse(args).Invoke();
    }

    private static async Task<int> RunAsync(int pairs, int clients, TimeSpan lag, TextWriter console)
    {
        if (StoreKind.Postgres.WhyNot() is { } obstacle)
        {
            console.WriteLine($"skipped: {obstacle}");
            return 0;
        }

        await using var bed = await StandbyBed.StartAsync(lag);
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(
            new Silence(),
            new ClusterSettings
            {
                Mode = "proxy",
                NodeEnvironment = id => new Dictionary<string, string?>(StringComparer.Ordinal)
                {
                    ["ConnectionStrings__NotesReplica"] = id is "a" ? bed.Primary : bed.Standby,
                },
            },
            bed.Primary);
        using var load = new WriteThenRead(cluster, clients);
        await load.UntilReadableAsync(_startUp);
        await load.RunAsync(clients, positions: true);

        // Step 1: without positions.
        var without = await load.RunAsync(pairs, positions: false);
        Say("without positions", without);

        // Step 2: with them, under two leaders.
        using var measured = new CancellationTokenSource();
        var measuring = bed.LagsAsync(measured.Token);
        var first = await load.RunAsync(pairs / 2, positions: true);
        Say("with positions, a leads", first);
        var running = load.RunAsync(pairs - (pairs / 2), positions: true);
        await cluster.StepDownAsync(cluster.A, to: cluster.B);
        var second = await running;
        Say("with positions, b takes over and leads", second);

        await measured.CancelAsync();
        var lags = (await measuring).Order().ToList();

        // Step 3: a standby that gets no further.
        await bed.PauseAsync();
        var third = await load.RunAsync(pairs / 10, positions: true);
        Say("with positions, the standby is stopped", third);

        // Step 4: one that is killed while reads ask it, and is away. Those that it has just been able to serve may fail.
        running = load.RunAsync(pairs / 10, positions: true);
        await bed.KillStandbyAsync();
        var fourth = await running;
        Say("with positions, the standby is killed", fourth);
        var fifth = await load.RunAsync(pairs / 10, positions: true);
        Say("with positions, the standby is away", fifth);

        // Step 5: one that is back; the nodes' watches find that out by themselves.
        await bed.StartStandbyAsync();
        await load.UntilReadableAsync(_startUp);
        List<ReadRecord> sixth = [];
        do
        {
            sixth.Add(await load.RunAsync(pairs / 10, positions: true));
            Say("with positions, the standby is back", sixth[^1]);
        }
        while (sixth[^1].Read(0.9) <= lag / 2 && sixth.Count < MostRounds);

        // Step 6: no primary. What the standby has can be read from it; the leader itself cannot read.
        await bed.KillPrimaryAsync();
        var seventh = await load.ReadAgainAsync(pairs / 10);
        Say("with earlier positions, the primary is away", seventh);
        await bed.StartPrimaryAsync();
        await load.UntilReadableAsync(_startUp);
        await load.RunAsync(clients, positions: true);
        var eighth = await load.RunAsync(pairs / 10, positions: true);
        Say("with positions, the primary is back", eighth);

        var added = first.AddedWaits(without).Concat(second.AddedWaits(without)).Order().ToList();
        console.WriteLine(
            $"measured: 99 % of the reads with positions waited for no more than {Milliseconds(added, 0.99)}; of {lags.Count} commits 99 % were on "
            + $"the standby within {Milliseconds(lags, 0.99)}, half within {Milliseconds(lags, 0.5)}");

        var verdicts = new Verdicts(console);
        verdicts.Expect(without.Stale > pairs / 4, $"{without.Stale} of {without.Pairs} reads were stale without positions");
        ReadRecord[] records = [first, second, third, fourth, fifth, .. sixth, seventh, eighth];
        var stale = records.Sum(record => record.Stale);
        verdicts.Expect(stale == 0, $"{stale} of {records.Sum(record => record.Pairs)} reads were stale with positions");

        // After a kill the application's pools hold connections of the server that is gone, each good for one failure.
        var failed = new[] { without, first, second, third, fifth }.Sum(record => record.Failed);
        verdicts.Expect(failed == 0, $"{failed} requests failed where no connection of the application's was lost");
        var (away, back) = (fifth.Read(0.9), sixth[^1].Read(0.9));
        verdicts.Expect(away < lag, $"nine tenths of the reads took {away.TotalMilliseconds:0} ms at most without the standby: nobody waited");
        verdicts.Expect(back > lag / 2, $"a tenth of them took {back.TotalMilliseconds:0} ms or more once it was back: it served again, in round {sixth.Count}");
        verdicts.Expect(seventh.Pairs > 0, $"{seventh.Pairs} reads were served without the primary");
        verdicts.Expect(eighth.Pairs > eighth.Failed, $"{eighth.Pairs} reads were served, and {eighth.Failed} failed, once it was back");
        return verdicts.End();

        static string Milliseconds(List<TimeSpan> sorted, double part) => $"{sorted[(int)(sorted.Count * part)].TotalMilliseconds:0} ms";

        void Say(string what, ReadRecord record) => console.WriteLine(
            $"{what}: {record.Pairs} pairs in {record.Took.TotalSeconds:0} s, {record.Stale} stale, {record.Again} told to come again, "
            + $"{record.Failed} failed; reads took {record.Read(0.5).TotalMilliseconds:0.0} ms in the median, "
            + $"{record.Read(0.99).TotalMilliseconds:0} ms at p99, {record.Read(1).TotalMilliseconds:0} ms at most");
    }
}
