using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Ha.Benchmarks.Load;

/// <summary>What one run of <c>wrk</c> said.</summary>
internal sealed record WrkResult(double PerSecond, double P50Milliseconds, double P99Milliseconds, long Requests, long Errors);

/// <summary>The load generator from Debian's <c>wrk</c> package: C, one thread, cheap next to what it measures.</summary>
internal static partial class Wrk
{
    /// <param name="url">Where to.</param>
    /// <param name="seconds">How long.</param>
    /// <param name="bodyBytes">0: GET; more: POST with so many bytes.</param>
    /// <param name="connections">Kept alive, each with one request at a time.</param>
    /// <param name="cpu">The core it is bound to; null: all.</param>
    public static async Task<WrkResult> RunAsync(string url, double seconds, int bodyBytes, int connections = 32, int? cpu = null)
    {
        var script = Path.Combine(Path.GetTempPath(), $"ha-wrk-{Environment.ProcessId}-{bodyBytes}.lua");
        await File.WriteAllTextAsync(script, bodyBytes == 0
            ? "wrk.method = \"GET\""
            : $"wrk.method = \"POST\"\nwrk.headers[\"Content-Type\"] = \"application/octet-stream\"\nwrk.body = string.rep(\"x\", {bodyBytes})");
        List<string> arguments = ["-t1", $"-c{connections}", $"-d{Math.Max(1, (int)Math.Round(seconds))}s", "--latency", "-s", script, url];
        if (cpu is not null)
        {
            arguments = ["-c", cpu.Value.ToString(CultureInfo.InvariantCulture), "wrk", .. arguments];
        }

        using var process = Process.Start(new ProcessStartInfo(cpu is null ? "wrk" : "taskset", arguments) { RedirectStandardOutput = true })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        File.Delete(script);
        return Parse(output);
    }

    private static WrkResult Parse(string output)
    {
        var requests = Number(RequestCount().Match(output));
        var errors = SocketErrors().Match(output) is { Success: true } sockets
            ? Enumerable.Range(1, 4).Sum(i => long.Parse(sockets.Groups[i].Value, CultureInfo.InvariantCulture))
            : 0;
        if (NonSuccess().Match(output) is { Success: true } other)
        {
            errors += (long)Number(other);
        }

        return new WrkResult(Number(Rate().Match(output)), Time(output, "50%"), Time(output, "99%"), (long)requests, errors);
    }

    private static double Number(Match match) =>
        match.Success ? double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : double.NaN;

    private static double Time(string output, string percentile)
    {
        var match = Regex.Match(output, Regex.Escape(percentile) + @"\s+([\d.]+)(us|ms|s)", RegexOptions.NonBacktracking);
        var scale = match.Groups[2].Value switch { "us" => 0.001, "ms" => 1, _ => 1000 };
        return Number(match) * scale;
    }

    [GeneratedRegex(@"(\d+) requests in")]
    private static partial Regex RequestCount();

    [GeneratedRegex(@"Requests/sec:\s+([\d.]+)")]
    private static partial Regex Rate();

    [GeneratedRegex(@"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")]
    private static partial Regex SocketErrors();

    [GeneratedRegex(@"Non-2xx or 3xx responses: (\d+)")]
    private static partial Regex NonSuccess();
}
