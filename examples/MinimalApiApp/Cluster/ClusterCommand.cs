using System.CommandLine;

namespace MinimalApiApp.Cluster;

/// <summary>The command line of <c>-- cluster</c>.</summary>
internal static class ClusterCommand
{
    public static Task<int> RunAsync(string[] args)
    {
        var nodes = new Option<int>("--nodes") { Description = "How many nodes, 1 to 9.", DefaultValueFactory = _ => 3 };
        nodes.Validators.Add(r => Require(r, r.GetValue(nodes) is >= 1 and <= 9, "--nodes is 1 to 9."));
        var interval = new Option<TimeSpan?>("--interval") { Description = "Heartbeat interval (500ms).", CustomParser = Durations.Parse };
        var lease = new Option<TimeSpan?>("--lease") { Description = "Lease timeout (3 intervals).", CustomParser = Durations.Parse };
        var mode = new Option<string>("--mode") { Description = "What a follower does with a write.", DefaultValueFactory = _ => "redirect" };
        mode.AcceptOnlyFromAmong("redirect", "proxy");
        var database = new Option<string?>("--database") { Description = "Connection string, e.g. \"Host=…;Database=…\" for PostgreSQL." };
        var data = new Option<string?>("--data") { Description = "Keep the SQLite file here (a temporary one)." };
        var load = new Option<int>("--load") { Description = "Writes per second of the built-in client; 0: none.", DefaultValueFactory = _ => 5 };
        load.Validators.Add(r => Require(r, r.GetValue(load) is >= 0 and <= 1000, "--load is 0 to 1000."));
        var stopAfter = new Option<TimeSpan?>("--for") { Description = "Stop by itself after this long.", CustomParser = Durations.Parse };

        var command = new Command("cluster", "Runs a cluster of node processes on loopback over one database, and shows it.")
        {
            nodes, interval, lease, mode, database, data, load, stopAfter,
        };
        command.SetAction(parsed => ClusterRun.RunAsync(new ClusterSettings
        {
            Nodes = parsed.GetValue(nodes),
            Interval = parsed.GetValue(interval),
            Lease = parsed.GetValue(lease),
            Mode = parsed.GetValue(mode)!,
            Database = parsed.GetValue(database),
            Data = parsed.GetValue(data),
            Load = parsed.GetValue(load),
            For = parsed.GetValue(stopAfter),
        }));

        // Signals are handled in ClusterRun, which has children to stop first.
        var app = new RootCommand("A notes API; without a command it runs as one node.") { command };
        return app.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
    }

    private static void Require(System.CommandLine.Parsing.SymbolResult result, bool holds, string otherwise)
    {
        if (!holds)
        {
            result.AddError(otherwise);
        }
    }
}
