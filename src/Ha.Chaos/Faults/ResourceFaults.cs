using System.Globalization;
using Ha.Chaos.Network;
using Ha.Cli.Processes;

namespace Ha.Chaos.Faults;

/// <summary>Nodes that run out of something.</summary>
internal static class ResourceFaults
{
    public static IEnumerable<Fault> All =>
    [
        new("files", FilesAsync) { OnProcesses = true, WhyNot = _ => Requirements.OnPath("prlimit") ? null : "prlimit is not installed (Debian: util-linux)" },
        new("threads", c => PressAsync(c, "threads")),
        new("memory", c => PressAsync(c, "gc")),
    ];

    /// <summary>
    /// No new connection and no new file: the limit is what the process has open already, or a few more. The .NET runtime ends
    /// a process that has to load an assembly then ("Out of memory.", SIGABRT), whatever runs in it: that is no fault of the
    /// node's, and it is started again as a supervisor would.
    /// </summary>
    private static async Task<string> FilesAsync(FaultContext c)
    {
        var (pid, time, spare) = (c.Target.Process.Pid, c.Leases(1, 8), c.Random.Next(-3, 6));
        var limits = await Tool.RunAsync("prlimit", $"--pid={pid}", "--nofile", "--noheadings", "--raw", "--output=SOFT");
        var before = long.Parse(limits, CultureInfo.InvariantCulture);
        var open = Directory.GetFiles($"/proc/{pid}/fd").Length;
        c.Target.MayEnd = true;
        try
        {
            await Tool.RunAsync("prlimit", $"--pid={pid}", $"--nofile={Math.Max(open + spare, 1)}:");
            await c.HoldAsync(time);
            var end = c.Target.Process.State == ProcessState.Dead ? $", ended by its runtime ({c.Target.Process.ExitCode})" : "";
            return $"{open} open, {open + spare} allowed, {time.TotalMilliseconds:0} ms{end}";
        }
        finally
        {
            await Tool.TryAsync("prlimit", $"--pid={pid}", $"--nofile={before}:");
            c.Target.MayEnd = false;
            c.Target.Start();
        }
    }

    /// <summary>The rest is done inside the process, see <see cref="StartupHook"/>.</summary>
    private static async Task<string> PressAsync(FaultContext c, string kind)
    {
        var time = c.Leases(1, 8);
        c.Target.Press(string.Create(CultureInfo.InvariantCulture, $"{kind} {time.TotalMilliseconds:0}"));
        await c.HoldAsync(time);
        return $"{time.TotalMilliseconds:0} ms";
    }
}
