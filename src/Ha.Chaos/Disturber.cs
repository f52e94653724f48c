using System.Data.Common;
using Ha.Chaos.Clients;
using Ha.Chaos.Faults;
using Ha.Chaos.History;
using Ha.Chaos.Nodes;

namespace Ha.Chaos;

/// <summary>Makes one fault after the other, and waits after each until the cluster works again.</summary>
internal sealed class Disturber(
    RunSettings settings, Machine machine, ChaosCluster cluster, IDatabase database, SmallDisk disk, IStoreServer? store, SmallDisk? storeDisk,
    Prober prober, Load load, HistoryWriter history, Action<string> tell, TimeProvider clock)
{
    private static readonly TimeSpan _recoversWithin = TimeSpan.FromSeconds(45);
    private static readonly TimeSpan _askAgain = TimeSpan.FromMilliseconds(100);
    private readonly Random _random = new(settings.Seed);

    /// <summary>What is going on now.</summary>
    public string Now { get; private set; } = "the start";

    /// <param name="end">No more faults; the one under way is healed.</param>
    /// <param name="stop">Do not even wait for the recovery.</param>
    public async Task RunAsync(CancellationToken end, CancellationToken stop)
    {
        var wanted = FaultCatalogue.Named(settings.Faults).ToLookup(f => f.WhyNot(machine) is null);
        foreach (var fault in wanted[false])
        {
            tell($"without {fault.Name}: {fault.WhyNot(machine)}");
        }

        var schedule = new FaultSchedule([.. wanted[true]], _random);
        while (!end.IsCancellationRequested && wanted[true].Any())
        {
            await DisturbAsync(schedule.Next(), end, stop);
        }
    }

    private async Task DisturbAsync(IReadOnlyList<Fault> faults, CancellationToken end, CancellationToken stop)
    {
        // All draws are made whatever the cluster does, so that a seed gives the same faults again.
        var (atLeader, anyone, pause, seeds) = (_random.Next(2) == 0, _random.Next(cluster.Nodes.Count), _random.NextDouble(), faults.Select(_ => _random.Next()).ToArray());
        var leader = cluster.Nodes.FirstOrDefault(n => string.Equals(n.Id, prober.Leader, StringComparison.Ordinal));
        var target = atLeader && leader is not null ? leader : cluster.Nodes[anyone];
        var aimed = faults.Any(f => f.HasTarget);
        Now = string.Join(" + ", faults.Select(f => f.Name));
        var line = new FaultLine(faults.Count == 1 ? Now : "two at once", FaultPhase.Begin, history.Now, aimed ? target.Id : "", aimed && target == leader, Now);
        history.Add(line);

        var runs = faults.Select((f, i) => RunAsync(f, new FaultContext(
            cluster, database, disk, settings.Folder, target, new Random(seeds[i]), settings.Lease, clock, end)
        {
            Store = store,
            StoreDisk = storeDisk,
        }));
        var what = string.Join("; ", await Task.WhenAll(runs));
        history.Add(line with { Phase = FaultPhase.Healed, At = history.Now, Detail = what });

        var recovered = await RecoverAsync(line, stop);
        tell($"{TimeSpan.FromMicroseconds(line.At):hh\\:mm\\:ss} {Now} {line.Target}{(line.HitLeader ? " (leader)" : "")}: {what}; {recovered}");
        await Task.Delay(settings.Lease * (0.5 + 2 * pause), clock, CancellationToken.None);
    }

    private static async Task<string> RunAsync(Fault fault, FaultContext context)
    {
        try
        {
            return await fault.RunAsync(context);
        }
        catch (DbException e)
        {
            // The other of two faults holds the database: a stopped node has the file's lock, for example.
            return $"{fault.Name} not possible: {e.Message}";
        }
    }

    private async Task<string> RecoverAsync(FaultLine fault, CancellationToken stop)
    {
        var healed = history.Now;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
        patience.CancelAfter(_recoversWithin);
        try
        {
            while (!await load.WorksThroughAllAsync(patience.Token))
            {
                await Task.Delay(_askAgain, clock, patience.Token);
            }

            history.Add(fault with { Phase = FaultPhase.Recovered, At = history.Now, Detail = null });
            return $"writable through all after {(history.Now - healed) / 1000} ms";
        }
        catch (OperationCanceledException)
        {
            if (!stop.IsCancellationRequested)
            {
                history.Add(fault with { Phase = FaultPhase.Stuck, At = history.Now, Detail = $"{Now}: no write through every node within {_recoversWithin.TotalSeconds} s" });
            }

            return "NOT RECOVERED";
        }
    }
}
