using System.Diagnostics;
using System.Text;

namespace Ha.Benchmarks.Micro;

/// <summary>
/// <c>price</c>: what the plugin adds to one request, in nanoseconds and bytes. All variants live in one process and
/// take turns of half a millisecond, so that whatever disturbs the machine disturbs all of them; the medians' difference
/// to the pipeline without the plugin is the price. For a profiler: <c>price 5000 write Quiet</c> runs one variant.
/// </summary>
internal static class PriceCommand
{
    private const int Batch = 64;
    private const int BatchesPerTurn = 8;
    private const int WarmUpTurns = 200;

    public static async Task<int> RunAsync(string[] args)
    {
        var turns = args.Length > 0 ? int.Parse(args[0]) : 1500;
        var apps = new Dictionary<Plugin, MicroApp>();
        foreach (var plugin in args.Length > 2 ? [Enum.Parse<Plugin>(args[2])] : Enum.GetValues<Plugin>())
        {
            apps[plugin] = await MicroApp.StartAsync(plugin);
        }

        Console.WriteLine("| request | pipeline | ns, median | ns, quartiles | price, ns | B |");
        Console.WriteLine("|---|---|---:|---:|---:|---:|");
        if (args.ElementAtOrDefault(1) != "write")
        {
            await CompareAsync("read", apps, "GET /notes HTTP/1.1\r\nHost: node-1\r\n\r\n", turns);
        }

        if (args.ElementAtOrDefault(1) != "read")
        {
            await CompareAsync("write", apps, "POST /notes HTTP/1.1\r\nHost: node-1\r\nContent-Length: 0\r\n\r\n", turns);
        }

        foreach (var app in apps.Values)
        {
            await app.DisposeAsync();
        }

        return 0;
    }

    private static async Task CompareAsync(string name, Dictionary<Plugin, MicroApp> apps, string request, int turns)
    {
        var one = Encoding.ASCII.GetBytes(request);
        var many = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(request, Batch)));
        var lanes = new List<Lane>();
        foreach (var (plugin, app) in apps)
        {
            lanes.Add(new Lane(plugin, app, many, Batch * await app.AnswerLengthAsync(one)));
        }

        for (var turn = -WarmUpTurns; turn < turns; turn++)
        {
            foreach (var lane in lanes)
            {
                await lane.TurnAsync(record: turn >= 0);
            }
        }

        foreach (var lane in lanes)
        {
            var times = lane.Times;
            var price = times.Zip(lanes[0].Times, (mine, bare) => mine - bare).Order().ElementAt(turns / 2);
            times.Sort();
            Console.WriteLine($"| {name} | {lane.Plugin} | {times[turns / 2]:F0} | {times[turns / 4]:F0}–{times[3 * turns / 4]:F0} | {price:F0} | {lane.BytesPerRequest:F1} |");
        }
    }

    private sealed class Lane(Plugin plugin, MicroApp app, byte[] requests, int answerBytes)
    {
        private long _bytes;

        public Plugin Plugin => plugin;

        public List<double> Times { get; } = [];

        public double BytesPerRequest => (double)_bytes / Times.Count / (Batch * BatchesPerTurn);

        public async ValueTask TurnAsync(bool record)
        {
            var bytes = GC.GetAllocatedBytesForCurrentThread();
            var started = Stopwatch.GetTimestamp();
            for (var i = 0; i < BatchesPerTurn; i++)
            {
                await app.ExchangeAsync(requests, answerBytes);
            }

            var took = Stopwatch.GetElapsedTime(started);
            if (record)
            {
                _bytes += GC.GetAllocatedBytesForCurrentThread() - bytes;
                Times.Add(took.TotalNanoseconds / (Batch * BatchesPerTurn));
            }
        }
    }
}
