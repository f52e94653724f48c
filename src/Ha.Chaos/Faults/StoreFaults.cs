using System.Net;
using Ha.Chaos.Nodes;

namespace Ha.Chaos.Faults;

/// <summary>A store that is killed, stands still, is full, or refuses. What the nodes write to goes on.</summary>
internal static class StoreFaults
{
    public static IEnumerable<Fault> All =>
    [
        OnStore("store-kill", KillAsync),
        OnStore("store-restart", RestartAsync),
        OnStore("store-stop", StopAsync),
        OnStore("store-cut-off", CutOffAsync) with { HasTarget = true, OnNetwork = true },
        OnStore("store-disk-full", FullAsync),
        OnStore("store-terminate", TerminateAsync) with { HasTarget = true },
        OnStore("store-limit", LimitAsync) with { HasTarget = true },
    ];

    private static Fault OnStore(string name, Func<FaultContext, IStoreServer, Task<string>> run) => new(name, c => run(c, c.Store!))
    {
        OnStore = true,
        HasTarget = false,
        WhyNot = m => m.Store == StoreKind.Peers ? "the nodes elect without a store" : null,
    };

    private static ServerProcess AnyProcess(FaultContext c, IStoreServer store) => store.Processes[c.Random.Next(store.Processes.Count)];

    private static async Task<string> KillAsync(FaultContext c, IStoreServer store)
    {
        var (server, away) = (AnyProcess(c, store), c.Leases(0, 5));
        await server.KillAsync();
        await c.HoldAsync(away);
        await server.StartAsync();
        return $"{server.Name}, started after {away.TotalMilliseconds:0} ms";
    }

    private static async Task<string> RestartAsync(FaultContext c, IStoreServer store)
    {
        var server = AnyProcess(c, store);
        var (signal, word) = server.Ends[c.Random.Next(server.Ends.Count)];
        await server.StopAsync(signal);
        await server.StartAsync();
        return $"{server.Name}, {word}";
    }

    private static async Task<string> StopAsync(FaultContext c, IStoreServer store)
    {
        var (server, time) = (AnyProcess(c, store), c.Leases(0.5, 6));
        try
        {
            server.Pause();
            await c.HoldAsync(time);
            return $"{server.Name}, {time.TotalMilliseconds:0} ms";
        }
        finally
        {
            server.Resume();
        }
    }

    private static Task<string> CutOffAsync(FaultContext c, IStoreServer store) => c.CutTargetOffAsync(ChaosCluster.Store, c.Leases(0.5, 6));

    private static async Task<string> FullAsync(FaultContext c, IStoreServer store)
    {
        var time = c.Leases(2, 10);
        try
        {
            var bytes = c.StoreDisk!.Fill();
            await store.UseRoomAsync();
            await c.HoldAsync(time);
            return $"{time.TotalMilliseconds:0} ms, after {bytes >> 20} MiB";
        }
        finally
        {
            c.StoreDisk!.Free();
            foreach (var server in store.Processes)
            {
                await server.StartAsync();
            }
        }
    }

    private static async Task<string> TerminateAsync(FaultContext c, IStoreServer store)
    {
        var (times, each) = (c.Random.Next(1, 6), c.Leases(0.05, 0.7));
        var ended = 0;
        for (var i = 0; i < times; i++)
        {
            ended += await store.TerminateAsync(Of(c.Target));
            await c.HoldAsync(each);
        }

        return $"{times} times, {ended} connections";
    }

    // Who has a connection keeps it. That of the target is ended as well, when all others are taken and, for a server that then
    // lets nobody in who could end it, before.
    private static async Task<string> LimitAsync(FaultContext c, IStoreServer store)
    {
        var time = c.Leases(0.5, 6);
        var ended = await store.TerminateAsync(Of(c.Target));
        await using var taken = store.Occupy();
        await c.HoldAsync(c.Lease * 0.3);
        ended += await store.TerminateAsync(Of(c.Target));
        await c.HoldAsync(time);
        return $"{taken.Count} connections taken, {ended} ended, {time.TotalMilliseconds:0} ms";
    }

    private static Func<IPEndPoint, bool> Of(ChaosNode node) => from => string.Equals(from.Address.ToString(), node.Address, StringComparison.Ordinal);
}
