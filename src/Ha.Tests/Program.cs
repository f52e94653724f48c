namespace Ha.Tests;

/// <summary>`dotnet run --project src/Ha.Tests -- simulate …`; under `dotnet test` this entry point is not used.</summary>
internal static class Program
{
    public static int Main(string[] args) => args switch
    {
        ["simulate", .. var rest] => Simulation.SimulateCommand.Run(rest, Console.Out),
        ["lease-simulate", .. var rest] => Leases.LeaseSimulateCommand.Run(rest, Console.Out),
        ["play", .. var rest] => Simulation.PlayCommand.Run(rest, Scenarios.ScenarioFiles.Names, Scenarios.ScenarioFiles.Read, Console.Out),
        [Endpoints.GrpcHealth.EchoNode.Verb, .. var rest] => Endpoints.GrpcHealth.EchoNode.Run(rest),
        [GrpcInterop.InteropNode.Verb, .. var rest] => GrpcInterop.InteropNode.Run(rest),
        [GrpcClient.LedgerNode.Verb, .. var rest] => GrpcClient.LedgerNode.Run(rest),
        ["grpc-rolls", .. var rest] => GrpcClient.GrpcRollsCommand.Run(rest, Console.Out),
        ["fuzz", .. var rest] => Fuzzing.FuzzCommand.Run(rest, Console.Out),
        ["mutants", .. var names] => Mutants.MutantsCommand.Run(names, Console.Out),
        ["client-rolls", .. var rest] => Processes.ClientRollsCommand.Run(rest, Console.Out),
        ["pipelines", .. var rest] => Pipelines.PipelinesCommand.Run(rest, Console.Out),
        ["oracle", .. var rest] => Oracle.OracleCommand.Run(rest, Console.Out),
        [OnTheWire.WireNode.Verb, .. var rest] => OnTheWire.WireNode.Run(rest),
        ["wire", .. var rest] => OnTheWire.WireCommand.Run(rest, Console.Out),
        ["losses", .. var rest] => Processes.LossesCommand.Run(rest, Console.Out),
        ["writes", .. var rest] => Processes.WritesCommand.Run(rest, Console.Out),
        ["lease-writes", .. var rest] => Processes.LeaseWritesCommand.Run(rest, Console.Out),
        [Orders.OrdersNode.Verb, .. var rest] => Orders.OrdersNode.Run(rest),
        ["orders", .. var rest] => Orders.OrdersCommand.Run(rest, Console.Out),
        ["late-commits", .. var rest] => Orders.LateCommitsCommand.Run(rest, Console.Out),
        ["database-kills", .. var rest] => Orders.DatabaseKillsCommand.Run(rest, Console.Out),
        ["stale-reads", .. var rest] => Consistency.StaleReadsCommand.Run(rest, Console.Out),
        _ => Usage(),
    };

    private static int Usage()
    {
        Console.Error.WriteLine(Simulation.SimulateCommand.Usage);
        Console.Error.WriteLine(Leases.LeaseSimulateCommand.Usage);
        Console.Error.WriteLine(Processes.WritesCommand.Usage);
        Console.Error.WriteLine(Processes.LeaseWritesCommand.Usage);
        Console.Error.WriteLine(Orders.OrdersCommand.Usage);
        Console.Error.WriteLine(Orders.LateCommitsCommand.Usage);
        Console.Error.WriteLine(Orders.DatabaseKillsCommand.Usage);
        Console.Error.WriteLine(Consistency.StaleReadsCommand.Usage);
        Console.Error.WriteLine(Processes.LossesCommand.Usage);
        Console.Error.WriteLine(Processes.ClientRollsCommand.Usage);
        Console.Error.WriteLine(GrpcClient.GrpcRollsCommand.Usage);
        Console.Error.WriteLine(OnTheWire.WireCommand.Usage);
        Console.Error.WriteLine(Fuzzing.FuzzCommand.Usage);
        Console.Error.WriteLine(Pipelines.PipelinesCommand.Usage);
        Console.Error.WriteLine(Oracle.OracleCommand.Usage);
        return 2;
    }
}
