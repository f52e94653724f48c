using Ha.Benchmarks.Failover;
using Ha.Benchmarks.Fencing;
using Ha.Benchmarks.Load;
using Ha.Benchmarks.Members;
using Ha.Benchmarks.Micro;
using Ha.Benchmarks.Processes;

const string Usage = """
    dotnet run -c Release --project src/Ha.Benchmarks -- COMMAND
      micro [FILTER]   BenchmarkDotNet: price of the plugin inside the pipeline, and of single steps
      price [TURNS]    what the plugin adds to one request, variants interleaved
      proxy            POST through a follower, YARP, nginx and HAProxy to one leader
      redirect         307 of a follower and of a bare middleware
      bare             reads and writes with and without the plugin
                       these take [rounds=N] [seconds=S] [pin] [only=NAME] [size=BYTES] [before=FILE]; proxy also [env=KEY:VALUE+KEY:VALUE,…]
      failover         leaders killed: Ha, etcd, keepalived; and handoffs [trials=N] [only=500/1500,etcd,…] [example=PATH]
      stability        leadership changes though nobody dies [minutes=N] [timing=50/150] [load] [example=PATH] [env=KEY:VALUE,…]
      members          cost of heartbeats for 3 to 100 members [seconds=N] [plot=FILE]
      fence DATABASE   what UseHaFence adds to SaveChanges on a PostgreSQL of yours
      watches          watches of gRPC health: idle, told of a change, told of a lapse [count=N] [seconds=S] [rounds=N]
      memory           working set and allocations of an idle member [minutes=N]
    """;

if (args is [])
{
    Console.Error.WriteLine(Usage);
    return 2;
}

if (args[0] is "failover" or "stability")
{
    // Who asks all members all the time shares their processors: its idle threads sleep at once. The pool reads this at its first use.
    AppContext.SetData("System.Threading.ThreadPool.UnfairSemaphoreSpinLimit", "0");
}

return args[0] switch
{
    "micro" => MicroCommand.Run(args[1..]),
    "price" => await PriceCommand.RunAsync(args[1..]),
    "proxy" => await CompareCommands.ProxyAsync(args[1..]),
    "redirect" => await CompareCommands.RedirectAsync(args[1..]),
    "bare" => await CompareCommands.BareAsync(args[1..]),
    "failover" => await FailoverCommand.RunAsync(args[1..]),
    "stability" => await StabilityCommand.RunAsync(args[1..]),
    "members" => await MembersCommand.RunAsync(args[1..]),
    "fence" => await FenceCommand.RunAsync(args[1..]),
    "watches" => await WatchesCommand.RunAsync(args[1..]),
    "memory" => await MemoryCommand.RunAsync(args[1..]),
    "serve" => await ServeCommand.RunAsync(args[1..]),
    _ => Unknown(args[0]),
};

static int Unknown(string command)
{
    Console.Error.WriteLine($"Unknown command '{command}'.\n{Usage}");
    return 2;
}
