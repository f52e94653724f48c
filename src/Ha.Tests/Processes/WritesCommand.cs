using System.CommandLine;
using Ha.Cli.Cluster;

namespace Ha.Tests.Processes;

/// <summary>
/// `writes --kills N --rolls N [--keys] [--app PATH]`: real processes of the example in proxy mode with default timing, 200
/// writes a second through the nodes that stay, and what each taken-away node cost. PATH: the example as it was published.
/// </summary>
internal static class WritesCommand
{
    public const string Usage = "writes [--kills 10] [--rolls 0] [--keys] [--app PATH]";

    public static int Run(string[] args, TextWriter console)
    {
        var kills = new Option<int>("--kills") { DefaultValueFactory = _ => 10 };
        var rolls = new Option<int>("--rolls");
        var keys = new Option<bool>("--keys");
        var app = new Option<string?>("--app");
        var command = new RootCommand("Kills and restarts leaders under load, and counts failed writes.") { kills, rolls, keys, app };
        command.SetAction(parsed => RunAsync(parsed.GetValue(kills), parsed.GetValue(rolls), parsed.GetValue(keys), parsed.GetValue(app), console));
        return command.Parse(args).Invoke();
    }

    private static async Task<int> RunAsync(int kills, int rolls, bool keys, string? published, TextWriter console)
    {
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(
            new Silence(), new ClusterSettings { Mode = "proxy" }, app: published is null ? null : ExampleCluster.Published(published));
        await using var load = new OpenLoad(cluster, cluster.B, cluster.C) { Keys = keys };
        var trials = new WriteTrials(cluster, load, console.WriteLine);
        await trials.RunAsync(kills, rolls, warmUp: TimeSpan.FromSeconds(15));
        await load.StopAsync();
        load.Results.AssertAcknowledgedAreThereOnce(await cluster.NotesAsync(cluster.A));
        var unknown = load.Failures.Count(f => f.Failure!.Contains("outcome unknown", StringComparison.Ordinal));
        var failed = load.Failures.Count() - unknown;
        foreach (var failure in load.Failures.Take(20))
        {
            console.WriteLine($"{failure.Text} through {failure.Failure}");
        }

        console.WriteLine($"{load.Results.Count} writes, {failed} failed, {unknown} of unknown outcome ({trials.InFlightAtKills} were under way at the kills); "
            + $"longest wait {trials.LongestWait.TotalMilliseconds:0} ms at a lease of {cluster.Lease.TotalMilliseconds:0} ms; each acknowledged note is there once");
        return failed == 0 && unknown <= (keys ? 0 : trials.InFlightAtKills) ? 0 : 1;
    }
}
