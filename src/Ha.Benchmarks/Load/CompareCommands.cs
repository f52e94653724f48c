using Ha.Benchmarks.Processes;

namespace Ha.Benchmarks.Load;

/// <summary><c>proxy</c>, <c>redirect</c> and <c>bare</c>: one load, several ways, in turns.</summary>
internal static class CompareCommands
{
    private const int Small = 256;
    private const int Large = 64 * 1024;

    /// <summary>A follower in proxy mode beside what people put there otherwise, all to the same leader.</summary>
    public static async Task<int> ProxyAsync(string[] args)
    {
        var options = new RunOptions(args);
        var ports = Ports.Free(4);
        var leaderUrl = Url(ports[0]);
        await using var leader = Server.StartSelf("leader", ["serve", "bare", $"{ports[0]}"], cpu: options.OtherCpu);
        await using var follower = Server.StartSelf("Ha", ["serve", "ha", $"{ports[1]}"], Follower(ports[1], leaderUrl, "proxy"), options.Cpu);
        await using var nginx = Server.Start("nginx", await Neighbours.NginxAsync(ports[2], ports[0]), cpu: options.Cpu);
        await using var haproxy = Server.Start("HAProxy", await Neighbours.HaProxyAsync(ports[3], ports[0]), cpu: options.Cpu);
        await leader.AnswersAsync(leaderUrl);
        await Task.WhenAll(follower.AnswersAsync(Url(ports[1])), nginx.AnswersAsync(Url(ports[2])), haproxy.AnswersAsync(Url(ports[3])));

        foreach (var size in options.Sizes ?? [Small, Large])
        {
            Lane[] lanes =
            [
                new("direct", leaderUrl, leader),
                new("Ha", Url(ports[1]), follower),
                new("nginx", Url(ports[2]), nginx),
                new("HAProxy", Url(ports[3]), haproxy),
            ];
            await Lane.InterleaveAsync(lanes.Where(lane => options.Wants(lane.Name)).ToList(), options.Rounds, options.Seconds, size, options.OtherCpu);
            Console.WriteLine($"\nPOST {size} B, 32 connections, {options}\n");
            Lane.Print(lanes.Where(lane => options.Wants(lane.Name)).ToList(), Console.Out);
        }

        return 0;
    }

    /// <summary>A follower in redirect mode beside a middleware that does nothing but redirect.</summary>
    public static async Task<int> RedirectAsync(string[] args)
    {
        var options = new RunOptions(args);
        var ports = Ports.Free(3);
        var leaderUrl = Url(ports[0]);
        await using var bare = Server.StartSelf("bare 307", ["serve", "redirect", $"{ports[1]}"], new Dictionary<string, string> { [ServeCommand.RedirectTo] = leaderUrl }, options.Cpu);
        var quiet = Follower(ports[2], leaderUrl, "redirect");
        quiet["BASE_PUBLIC_INFO"] = "false";
        await using var silent = Server.StartSelf("Ha, BASE_PUBLIC_INFO=false", ["serve", "ha", $"{ports[2]}"], quiet, options.Cpu);
        await using var follower = Server.StartSelf("Ha", ["serve", "ha", $"{ports[0]}"], Follower(ports[0], Url(ports[1]), "redirect"), options.Cpu);
        await CompareAsync([bare, silent, follower], [ports[1], ports[2], ports[0]], options, Small);
        return 0;
    }

    /// <summary>Reads and writes that run where they arrive: without the plugin, with its no-op, on a leader.</summary>
    public static async Task<int> BareAsync(string[] args)
    {
        var options = new RunOptions(args);
        var ports = Ports.Free(4);
        await using var bare = Server.StartSelf("bare", ["serve", "bare", $"{ports[0]}"], cpu: options.Cpu);
        await using var inactive = Server.StartSelf("Ha, no-op", ["serve", "ha", $"{ports[1]}"], cpu: options.Cpu);
        var settings = Leader(ports[2]);
        settings["BASE_PUBLIC_INFO"] = "false";
        await using var quiet = Server.StartSelf("Ha leads, BASE_PUBLIC_INFO=false", ["serve", "ha", $"{ports[2]}"], settings, options.Cpu);
        await using var leader = Server.StartSelf("Ha leads", ["serve", "ha", $"{ports[3]}"], Leader(ports[3]), options.Cpu);
        await CompareAsync([bare, inactive, quiet, leader], ports, options, 0, Small);
        return 0;
    }

    private static async Task CompareAsync(Server[] servers, int[] ports, RunOptions options, params int[] sizes)
    {
        var lanes = servers.Zip(ports, (server, port) => (Server: server, Url: Url(port))).ToList();
        foreach (var (server, url) in lanes)
        {
            await server.AnswersAsync(url);
        }

        foreach (var size in sizes)
        {
            var all = lanes.Select(lane => new Lane(lane.Server.Name, lane.Url, lane.Server)).ToList();
            await Lane.InterleaveAsync(all, options.Rounds, options.Seconds, size, options.OtherCpu);
            Console.WriteLine($"\n{(size == 0 ? "GET" : $"POST {size} B")}, 32 connections, {options}\n");
            Lane.Print(all, Console.Out);
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

    private static Dictionary<string, string> Leader(int port) => new()
    {
        ["BASE_NODE_ID"] = "leader",
        ["BASE_LOCAL_TARGET"] = Url(port),
    };
}
