using System.Globalization;

namespace Ha.Chaos.Faults;

/// <summary>
/// Wall clocks that jump or run at another rate, by libfaketime in front of the C library. It changes what
/// <c>CLOCK_REALTIME</c> shows; <c>CLOCK_MONOTONIC</c> and the lease clock (<c>CLOCK_BOOTTIME</c>) stay true.
/// </summary>
internal static class ClockFaults
{
    private static readonly string? _library = Directory.Exists("/usr/lib")
        ? Directory.EnumerateFiles("/usr/lib", "libfaketimeMT.so.1", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 3 }).FirstOrDefault()
        : null;

    public static IEnumerable<Fault> All =>
    [
        new("clock-step", StepAsync) { OnProcesses = true, WhyNot = WithoutLibrary },
        new("clock-drift", DriftAsync) { OnProcesses = true, WhyNot = WithoutLibrary },
    ];

    private static string? WithoutLibrary(Machine machine) => _library is null ? "libfaketime is not installed (Debian: apt-get install faketime)" : null;

    private static Task<string> StepAsync(FaultContext c) => UnderAsync(c, async set =>
    {
        int[] steps = [.. Enumerable.Range(0, c.Random.Next(1, 4)).Select(_ => c.Random.Next(-3600, 3600))];
        var seen = new List<string>();
        foreach (var step in steps)
        {
            set(string.Create(CultureInfo.InvariantCulture, $"{(step < 0 ? '-' : '+')}{Math.Abs(step)}"));
            await c.HoldAsync(c.Leases(3, 6));
            seen.Add($"{step} s (seen {await SkewAsync(c):0} s)");
        }

        return string.Join(", then ", seen);
    });

    private static Task<string> DriftAsync(FaultContext c) => UnderAsync(c, async set =>
    {
        var rate = Math.Exp(c.Between(-1, 1));
        set(string.Create(CultureInfo.InvariantCulture, $"+0 x{rate:0.000}"));
        await c.HoldAsync(c.Leases(5, 12));
        return $"rate {rate:0.000} (seen {await SkewAsync(c):0} s)";
    });

    /// <summary>Starts the target with a clock that can be set, lets it lead if it should, and starts it again as it was.</summary>
    private static async Task<string> UnderAsync(FaultContext c, Func<Action<string>, Task<string>> disturb)
    {
        var file = Path.Combine(c.Folder, $"clock-{c.Target.Id}");
        void Set(string what)
        {
            File.WriteAllText(file + ".new", what + "\n");
            File.Move(file + ".new", file, overwrite: true);
        }

        Set("+0");
        using var settings = c.Target.With(
            ("LD_PRELOAD", _library), ("FAKETIME_TIMESTAMP_FILE", file), ("FAKETIME_CACHE_DURATION", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"));
        await c.Target.KillAsync();
        c.Target.Start();
        await c.HoldAsync(c.Leases(5, 8));
        try
        {
            return await disturb(Set);
        }
        finally
        {
            settings.Dispose();
            await c.Target.KillAsync();
            c.Target.Start();
        }
    }

    private static async Task<double?> SkewAsync(FaultContext c) =>
        (await c.Cluster.WallClockAsync(c.Target, CancellationToken.None) - c.Clock.GetUtcNow())?.TotalSeconds;
}
