using Ha.Benchmarks.Load;
using Ha.Benchmarks.Micro;
using Ha.Benchmarks.Processes;

const string Usage = """
    dotnet run -c Release --project src/Ha.Benchmarks -- COMMAND
      micro [FILTER]   BenchmarkDotNet: price of the plugin inside the pipeline, and of single steps
      price [TURNS]    what the plugin adds to one request, variants interleaved
      proxy            POST through a follower, nginx and HAProxy to one leader
      redirect         307 of a follower and of a bare middleware
      bare             reads and writes with and without the plugin
                       these take [rounds=N] [seconds=S] [pin] [only=NAME] [size=BYTES]
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
    "proxy" => await CompareCommands.ProxyAsync(args[1..]),
    "redirect" => await CompareCommands.RedirectAsync(args[1..]),
    "bare" => await CompareCommands.BareAsync(args[1..]),
    "serve" => await ServeCommand.RunAsync(args[1..]),
    _ => Unknown(args[0]),
};

static int Unknown(string command)
{
    Console.Error.WriteLine($"Unknown command '{command}'.\n{Usage}");
    return 2;
}
