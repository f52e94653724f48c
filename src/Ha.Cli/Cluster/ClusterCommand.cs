using System.CommandLine;
using System.CommandLine.Parsing;

namespace Ha.Cli.Cluster;

/// <summary>The command line of <c>ha cluster</c>.</summary>
internal static class ClusterCommand
{
    public static Command New()
    {
        var app = new Argument<string>("app") { Description = "A project or its folder (built once), a .dll, or a program." };
        var arguments = new Argument<string[]>("arguments") { Description = "The application's own, after --.", Arity = ArgumentArity.ZeroOrMore };
        var nodes = new Option<int>("--nodes") { Description = "How many nodes, 1 to 9.", DefaultValueFactory = _ => 3 };
        nodes.Validators.Add(r => Require(r, r.GetValue(nodes) is >= 1 and <= 9, "--nodes is 1 to 9."));
        var interval = new Option<TimeSpan?>("--interval") { Description = "Heartbeat interval (500ms).", CustomParser = Durations.Parse };
        var lease = new Option<TimeSpan?>("--lease") { Description = "Lease timeout (3 intervals).", CustomParser = Durations.Parse };
        var mode = new Option<string>("--mode") { Description = "What a follower does with a write.", DefaultValueFactory = _ => "redirect" };
        mode.AcceptOnlyFromAmong("redirect", "proxy");
        var environment = new Option<string[]>("--env") { Description = "A variable for every node, KEY=VALUE; may be repeated." };
        environment.Validators.Add(r => Require(r, r.Tokens.All(t => t.Value.IndexOf('=', StringComparison.Ordinal) > 0), "--env is KEY=VALUE."));
        environment.Validators.Add(r => Require(
            r,
            !r.Tokens.Any(t => NodeProcess.IsWhereToListen(t.Value.Split('=')[0])),
            "--env cannot say where to listen: each node gets a port of its own."));
        var load = new Option<LoadRequest?>("--load") { Description = "A write to repeat through the followers: 'POST /notes {\"text\":\"hello\"}'.", CustomParser = ParseLoad };
        var rate = new Option<int>("--rate") { Description = "How often a second, 1 to 1000.", DefaultValueFactory = _ => 5 };
        rate.Validators.Add(r => Require(r, r.GetValue(rate) is >= 1 and <= 1000, "--rate is 1 to 1000."));
        var stopAfter = new Option<TimeSpan?>("--for") { Description = "Stop by itself after this long.", CustomParser = Durations.Parse };

        var command = new Command("cluster", "Runs an application as a cluster of processes on loopback, and shows it.")
        {
            app, arguments, nodes, interval, lease, mode, environment, load, rate, stopAfter,
        };
        command.SetAction(parsed => ClusterRun.RunAsync(parsed.GetValue(app)!, parsed.GetValue(arguments) ?? [], new ClusterSettings
        {
            Nodes = parsed.GetValue(nodes),
            Interval = parsed.GetValue(interval),
            Lease = parsed.GetValue(lease),
            Mode = parsed.GetValue(mode)!,
            Environment = Variables(parsed.GetValue(environment) ?? []),
            Load = parsed.GetValue(load),
            Rate = parsed.GetValue(rate),
            For = parsed.GetValue(stopAfter),
        }));
        return command;
    }

    private static Func<IReadOnlyList<string>, IReadOnlyDictionary<string, string?>> Variables(string[] pairs)
    {
        var variables = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var pair in pairs)
        {
            var at = pair.IndexOf('=', StringComparison.Ordinal);
            variables[pair[..at]] = pair[(at + 1)..];
        }

        return _ => variables;
    }

    private static LoadRequest? ParseLoad(ArgumentResult argument)
    {
        var load = LoadRequest.Parse(argument.Tokens.Count == 1 ? argument.Tokens[0].Value : "");
        Require(argument, load is not null, "--load is a method, a path and, if it has one, a JSON body: 'POST /notes {\"text\":\"hello\"}'.");
        return load;
    }

    private static void Require(SymbolResult result, bool holds, string otherwise)
    {
        if (!holds)
        {
            result.AddError(otherwise);
        }
    }
}
