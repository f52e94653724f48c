using Ha.Benchmarks.Micro;

const string Usage = """
    dotnet run -c Release --project src/Ha.Benchmarks -- COMMAND
      micro [FILTER]   BenchmarkDotNet: price of the plugin inside the pipeline, and of single steps
      price [TURNS]    what the plugin adds to one request, variants interleaved
    """;

if (args is [])
{
    Console.Error.WriteLine(Usage);
    return 2;
}

return args[0] switch
{
    "micro" => MicroCommand.Run(args[1..]),
    "price" => await PriceCommand.RunAsync(args[1..]),
    _ => Unknown(args[0]),
};

static int Unknown(string command)
{
    Console.Error.WriteLine($"Unknown command '{command}'.\n{Usage}");
    return 2;
}
