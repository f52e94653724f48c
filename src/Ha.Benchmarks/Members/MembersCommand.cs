using System.Globalization;

namespace Ha.Benchmarks.Members;

/// <summary>One row: what heartbeats of so many members cost.</summary>
/// <param name="Count">Members.</param>
/// <param name="Simulated">True: cores on simulated time, messages encoded and signed, no sockets.</param>
/// <param name="CpuShare">Share of one core, per member.</param>
/// <param name="BytesPerSecond">Sent by one member: requests and replies with their headers, without TCP and IP.</param>
/// <param name="Exchanges">Heartbeats answered per second, all members.</param>
/// <param name="MicrosPerExchange">Processor time of both sides for one of them.</param>
/// <param name="ConvergeMilliseconds">From the start until all name the same leader, quarantine included.</param>
/// <param name="TakeoverMilliseconds">From the end of the leader until all others name the next.</param>
internal sealed record MembersRow(
    int Count, bool Simulated, double CpuShare, double BytesPerSecond, double Exchanges, double MicrosPerExchange,
    double ConvergeMilliseconds, double TakeoverMilliseconds);

/// <summary><c>members [seconds=N] [plot=FILE]</c>: 3, 9 and 25 real hosts in one process, 100 in simulation.</summary>
internal static class MembersCommand
{
    public static async Task<int> RunAsync(string[] args)
    {
        var values = args.Select(arg => arg.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair.ElementAtOrDefault(1) ?? "");
        var seconds = values.TryGetValue("seconds", out var text) ? int.Parse(text) : 10;
        Console.WriteLine("Heartbeats every 500 ms, lease 1500 ms, HMAC.\n");
        Console.WriteLine("| members | how | CPU per member, % of a core | kB/s sent per member | exchanges/s, all | µs CPU per exchange, both sides | all agree after start, ms | after the leader's end, ms |");
        Console.WriteLine("|---:|---|---:|---:|---:|---:|---:|---:|");
        var rows = new List<MembersRow>();
        foreach (var count in new[] { 3, 9, 25 })
        {
            rows.Add(Print(await RealMembers.MeasureAsync(count, TimeSpan.FromSeconds(seconds))));
        }

        foreach (var count in new[] { 3, 9, 25, 50, 100 })
        {
            rows.Add(Print(SimulatedMembers.Measure(count, seconds)));
        }

        if (values.TryGetValue("plot", out var file))
        {
            await File.WriteAllTextAsync(file, MembersPlot.Draw(rows));
            Console.WriteLine($"\nPlot: {file}");
        }

        return 0;
    }

    private static MembersRow Print(MembersRow row)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {row.Count} | {(row.Simulated ? "simulated" : "real")} | {100 * row.CpuShare:F3} | {row.BytesPerSecond / 1000:F2} | {row.Exchanges:F0} | " +
            $"{row.MicrosPerExchange:F0} | {row.ConvergeMilliseconds:F0} | {row.TakeoverMilliseconds:F0} |"));
        return row;
    }
}
