using Ha.Benchmarks.Processes;
using Ha.Cli.Processes;

namespace Ha.Benchmarks.Load;

/// <summary><c>proxy</c>, <c>redirect</c> and <c>bare</c>: one load, several ways, in turns.</summary>
internal static class CompareCommands
{
    private const int Small = 256;
    private const int Large = 64 * 1024;
    private const string Quiet = "Ha, BASE_PUBLIC_INFO=false";

    /// <summary>A follower in proxy mode beside what people put there otherwise, all to the same leader.</summary>
    public static Task<int> ProxyAsync(string[] args)
    {
        return CompareAsync(Lanes, new RunOptions(args), Small, Large);

        static IEnumerable<Lane> Lanes(RunOptions options)
        {
            var ports = FreePorts.Find(7 + (2 * options.Settings.Count));
            var leader = Url(ports[0]);
            yield return new("direct", leader, Server.StartSelf("direct", ["serve", "bare", $"{ports[0]}"], cpu: options.OtherCpu));
            foreach (var lane in Turns("Ha", ports[1], ports[2], port => Follower(port, leader, "proxy"), options))
            {
                yield return lane;
            }

            yield return new("YARP", Url(ports[3]), Server.StartSelf("YARP", ["serve", "yarp", $"{ports[3]}"], LeaderIs(leader), options.Cpu));
            yield return new("least", Url(ports[6]), Server.StartSelf("least", ["serve", "least", $"{ports[6]}"], LeaderIs(leader), options.Cpu));
            yield return new("nginx", Url(ports[4]), Server.Start("nginx", Neighbours.Nginx(ports[4], ports[0]), cpu: options.Cpu));
            yield return new("HAProxy", Url(ports[5]), Server.Start("HAProxy", Neighbours.HaProxy(ports[5], ports[0]), cpu: options.Cpu));
            foreach (var (i, settings) in options.Settings.Index())
            {
                var (port, other) = (ports[7 + (2 * i)], ports[8 + (2 * i)]);
                yield return Set("Ha", "ha", port, Follower(port, leader, "proxy"), settings, options);
                yield return Set("YARP", "yarp", other, LeaderIs(leader), settings, options);
            }
        }
    }

    /// <summary>A follower in redirect mode beside a middleware that does nothing but redirect.</summary>
    public static Task<int> RedirectAsync(string[] args)
    {
        return CompareAsync(Lanes, new RunOptions(args), Small);

        static IEnumerable<Lane> Lanes(RunOptions options)
        {
            var ports = FreePorts.Find(5);
            var leader = Url(ports[4]);
            yield return new("bare 307", Url(ports[0]), Server.StartSelf("bare 307", ["serve", "redirect", $"{ports[0]}"], LeaderIs(leader), options.Cpu));
            yield return new(Quiet, Url(ports[1]), Server.StartSelf(Quiet, ["serve", "ha", $"{ports[1]}"], Silent(Follower(ports[1], leader, "redirect")), options.Cpu));
            foreach (var lane in Turns("Ha", ports[2], ports[3], port => Follower(port, leader, "redirect"), options))
            {
                yield return lane;
            }
        }
    }

    /// <summary>Reads and writes that run where they arrive: without the plugin, with its no-op, on a leader.</summary>
    public static Task<int> BareAsync(string[] args)
    {
        return CompareAsync(Lanes, new RunOptions(args), 0, Small);

        static IEnumerable<Lane> Lanes(RunOptions options)
        {
            var ports = FreePorts.Find(5);
            yield return new("bare", Url(ports[0]), Server.StartSelf("bare", ["serve", "bare", $"{ports[0]}"], cpu: options.Cpu));
            yield return new("Ha, no-op", Url(ports[1]), Server.StartSelf("Ha, no-op", ["serve", "ha", $"{ports[1]}"], cpu: options.Cpu));
            yield return new(Quiet, Url(ports[2]), Server.StartSelf(Quiet, ["serve", "ha", $"{ports[2]}"], Silent(Leader(ports[2])), options.Cpu));
            foreach (var lane in Turns("Ha", ports[3], ports[4], Leader, options))
            {
                yield return lane;
            }
        }
    }

    // This build and, where asked for, the one of another revision.
    private static IEnumerable<Lane> Turns(string name, int port, int other, Func<int, Dictionary<string, string>> settings, RunOptions options)
    {
        yield return new(name, Url(port), Server.StartSelf(name, ["serve", "ha", $"{port}"], settings(port), options.Cpu));
        if (options.Before is { } program)
        {
            var before = $"{name} before";
            yield return new(before, Url(other), Server.StartSelf(before, ["serve", "ha", $"{other}"], settings(other), options.Cpu, program));
        }
    }

    private static Lane Set(
        string name, string kind, int port, Dictionary<string, string> own, Dictionary<string, string> settings, RunOptions options)
    {
        name += RunOptions.With + string.Join(' ', settings.Select(setting => $"{setting.Key}={setting.Value}"));
        return new(name, Url(port), Server.StartSelf(name, ["serve", kind, $"{port}"], own.Concat(settings).ToDictionary(), options.Cpu));
    }

    // Enumerating starts the servers one by one; those that were started are stopped, whatever happens.
    private static async Task<int> CompareAsync(Func<RunOptions, IEnumerable<Lane>> start, RunOptions options, params int[] sizes)
    {
        List<Lane> all = [];
        try
        {
            foreach (var lane in start(options))
            {
                all.Add(lane);
                await lane.Server.AnswersAsync(lane.Url);
            }

            foreach (var size in options.Sizes ?? sizes)
            {
                var lanes = all.Where(lane => options.Wants(lane.Name)).Select(lane => new Lane(lane.Name, lane.Url, lane.Server)).ToList();
                await Lane.InterleaveAsync(lanes, options.Rounds, options.Seconds, size, options.OtherCpu);
                Console.WriteLine($"\n{(size == 0 ? "GET" : $"POST {size} B")}, 32 connections, {options}\n");
                Lane.Print(lanes, ["YARP", "nginx"], Console.Out);
            }

            return 0;
        }
        finally
        {
            foreach (var lane in all)
            {
                await lane.Server.DisposeAsync();
            }
        }
    }

    private static string Url(int port) => $"http://127.0.0.1:{port}";

    private static Dictionary<string, string> Follower(int port, string leader, string mode) => new()
    {
        ["BASE_NODE_ID"] = "follower",
        ["BASE_LOCAL_TARGET"] = Url(port),
        ["BASE_STATIC_LEADER"] = leader,
        ["BASE_FORWARD_MODE"] = mode,
    };

    private static Dictionary<string, string> LeaderIs(string url) => new() { [ServeCommand.Leader] = url };

    private static Dictionary<string, string> Silent(Dictionary<string, string> settings)
    {
        settings["BASE_PUBLIC_INFO"] = "false";
        return settings;
    }

    private static Dictionary<string, string> Leader(int port) => new()
    {
        ["BASE_NODE_ID"] = "leader",
        ["BASE_LOCAL_TARGET"] = Url(port),
    };
}
