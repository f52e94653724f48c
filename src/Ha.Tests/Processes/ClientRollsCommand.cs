using System.CommandLine;
using Ha.Cli.Cluster;

namespace Ha.Tests.Processes;

/// <summary>
/// `client-rolls --client js --kills N --rolls N`: real processes of the example with default timing lose leaders by SIGKILL and are
/// restarted one after the other, while a client with leader routing writes and reads. Nothing may fail.
/// </summary>
internal static class ClientRollsCommand
{
    public const string Usage = "client-rolls [--client net|js] [--kills 20] [--rolls 20] [--rate 200]";

    public static int Run(string[] args, TextWriter console)
    {
        var client = new Option<string>("--client") { DefaultValueFactory = _ => "net" };
        client.AcceptOnlyFromAmong("net", "js");
        var kills = new Option<int>("--kills") { DefaultValueFactory = _ => 20 };
        var rolls = new Option<int>("--rolls") { DefaultValueFactory = _ => 20 };
        var rate = new Option<int>("--rate") { DefaultValueFactory = _ => OpenLoad.DefaultRate };
        var command = new RootCommand("Kills and restarts nodes under a client with leader routing, and counts failed calls.") { client, kills, rolls, rate };
        command.SetAction(parsed => RunAsync(
            parsed.GetValue(client) == "js", parsed.GetValue(kills), parsed.GetValue(rolls), parsed.GetValue(rate), console));
        return command.Parse(args).Invoke();
    }

    private static async Task<int> RunAsync(bool isJs, int kills, int rolls, int rate, TextWriter console)
    {
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(new Silence(), new ClusterSettings());
        await using IRolledClient client = isJs ? await NodeClient.StartAsync(cluster) : new RoutedClient(cluster);
        await using var load = new OpenLoad(client.AddAsync, rate);
        var trials = new WriteTrials(cluster, load, console.WriteLine);
        await trials.RunAsync(kills, rolls, warmUp: TimeSpan.FromSeconds(15));
        await load.StopAsync();
        await client.StopAsync();
        var counts = (await cluster.NotesAsync(cluster.A)).CountBy(note => note.Text, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        var notOnce = load.Results.Count(result => counts.GetValueOrDefault(result.Text) != 1) + counts.Keys.Except(load.Results.Select(result => result.Text), StringComparer.Ordinal).Count();
        foreach (var failure in load.Failures.Select(failure => failure.Failure).Concat(client.FailedReads).Concat(client.Leaks).Take(20))
        {
            console.WriteLine(failure);
        }

        console.WriteLine($"{kills} kills, {rolls} rolls: {load.Results.Count} writes, {load.Failures.Count()} failed, {notOnce} notes not there exactly once; "
            + $"{trials.InFlightAtKills} were under way at the kills; longest wait {trials.LongestWait.TotalMilliseconds:0} ms at a lease of {cluster.Lease.TotalMilliseconds:0} ms");
        var byNode = string.Join(", ", client.ReadsByNode.OrderBy(node => node.Key, StringComparer.Ordinal).Select(node => $"{node.Key} {node.Value}"));
        console.WriteLine($"{client.ReadsByNode.Values.Sum()} reads ({byNode}), {client.FailedReads.Count} failed; {client.RequestsWithToken} requests carried the token, {client.Leaks.Count} went elsewhere");
        return load.Failures.Any() || notOnce > 0 || client.FailedReads.Count > 0 || client.Leaks.Count > 0 ? 1 : 0;
    }
}
