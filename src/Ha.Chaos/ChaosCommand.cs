using System.CommandLine;
using System.Globalization;
using Ha.Chaos.Faults;
using Ha.Chaos.History;
using Ha.Chaos.Nodes;
using Spectre.Console;

namespace Ha.Chaos;

/// <summary>The command line.</summary>
internal static class ChaosCommand
{
    public static Task<int> RunAsync(string[] args)
    {
        var app = new RootCommand("Disturbs a cluster of real processes and checks what its clients saw.") { NewRun(), NewCheck() };
        AnsiConsole.Profile.Width = Math.Max(AnsiConsole.Profile.Width, Report.Width);
        // Signals are handled in the run, which has much to put back first.
        return app.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
    }

    private static Command NewRun()
    {
        var minutes = new Option<double>("--minutes") { Description = "How long faults are made.", DefaultValueFactory = _ => 2 };
        var seed = new Option<int?>("--seed") { Description = "Where all choices come from; drawn and printed when not given." };
        var faults = new Option<string[]>("--faults") { Description = "Only these, by name or beginning of a name.", AllowMultipleArgumentsPerToken = true };
        var database = new Option<string>("--database") { Description = "What the nodes write to.", DefaultValueFactory = _ => "sqlite" };
        database.AcceptOnlyFromAmong("sqlite", "postgres");
        var lease = new Option<string>("--lease")
        {
            Description = "What elects: the nodes themselves, or a store.",
            DefaultValueFactory = _ => StoreKind.Peers.Word(),
        };
        lease.AcceptOnlyFromAmong([.. Enum.GetValues<StoreKind>().Select(StoreKinds.Word)]);
        var nodes = new Option<int>("--nodes") { Description = "How many nodes, 3 to 9.", DefaultValueFactory = _ => 3 };
        var rate = new Option<int>("--rate") { Description = "Operations a second, two thirds of them writes.", DefaultValueFactory = _ => 60 };
        var interval = new Option<int>("--interval") { Description = "Heartbeat interval in ms; the lease is three of them.", DefaultValueFactory = _ => 200 };
        Require(nodes, 3, 9);
        Require(rate, 1, 1000);
        Require(interval, 20, 10_000);
        faults.Validators.Add(r =>
        {
            foreach (var name in r.Tokens.Select(t => t.Value).Where(f => FaultCatalogue.Named([f]).Count == 0))
            {
                r.AddError($"No fault is called '{name}'. There are: {string.Join(", ", FaultCatalogue.All.Select(f => f.Name))}.");
            }
        });
        var folder = new Option<string?>("--out") { Description = "Gets the history and the logs (a temporary folder, removed after a clean run)." };
        var command = new Command("run", "Makes faults and checks. Exit code 0: no violation, or not permitted here (\"skipped\"); 1: violations.")
        {
            minutes, seed, faults, database, lease, nodes, rate, interval, folder,
        };
        command.SetAction(parsed =>
        {
            var drawn = parsed.GetValue(seed) ?? Random.Shared.Next(1, 1_000_000);
            return ChaosRun.RunAsync(new RunSettings
            {
                Duration = TimeSpan.FromMinutes(parsed.GetValue(minutes)),
                Seed = drawn,
                Faults = parsed.GetValue(faults) ?? [],
                Postgres = parsed.GetValue(database) is "postgres",
                Store = StoreKinds.Parse(parsed.GetValue(lease)!),
                Nodes = parsed.GetValue(nodes),
                Rate = parsed.GetValue(rate),
                Interval = TimeSpan.FromMilliseconds(parsed.GetValue(interval)),
                Folder = Path.GetFullPath(parsed.GetValue(folder)
                    ?? Path.Combine(Path.GetTempPath(), string.Create(CultureInfo.InvariantCulture, $"ha-chaos-{Environment.ProcessId}-seed-{drawn}"))),
                Keep = parsed.GetValue(folder) is not null,
            });
        });
        return command;
    }

    private static void Require(Option<int> option, int least, int most) => option.Validators.Add(r =>
    {
        if (r.GetValueOrDefault<int>() is var value && (value < least || value > most))
        {
            r.AddError($"{option.Name} is {least} to {most}.");
        }
    });

    private static Command NewCheck()
    {
        var files = new Argument<FileInfo[]>("histories") { Description = "One or more history.jsonl.", Arity = ArgumentArity.OneOrMore };
        files.AcceptExistingOnly();
        var command = new Command("check", "Checks histories again, each for itself, and shows one table of all. Exit code 1: violations.") { files };
        command.SetAction(parsed => Report.Show(AnsiConsole.Console, [.. parsed.GetRequiredValue(files).Select(f => HistoryFile.Read(f.FullName))]) == 0 ? 0 : 1);
        return command;
    }
}
