using System.Diagnostics;
using System.Globalization;
using Ha.Benchmarks.Processes;

namespace Ha.Benchmarks.Failover;

/// <summary>
/// Two hosts (network namespaces) with Debian's keepalived and a web server each, one address that moves between them
/// with VRRP version 3, and this program as a client on the same bridge. To kill a host means SIGKILL for what runs on it
/// and its cable pulled: keepalived killed alone would leave the address where it is, on both.
/// </summary>
internal sealed class KeepalivedPair(double advertSeconds) : Contender
{
    private const int Port = 8080;

    // TEST-NET-2, RFC 5737: no one else's.
    private const string Shared = "198.51.100.100";
    private static readonly string[] _hosts = ["198.51.100.1", "198.51.100.2"];

    private readonly string _tag = $"hb{Environment.ProcessId % 10000}";
    private readonly Server?[] _keepalived = new Server?[2];
    private readonly Server?[] _web = new Server?[2];
    private readonly string _folder = Directory.CreateTempSubdirectory("ha-keepalived-").FullName;
    private HttpClient _client = NewClient();

    public override string Name => "keepalived (VRRPv3)";

    public override string Settings => string.Create(CultureInfo.InvariantCulture, $"advert {advertSeconds * 1000:F0} ms");

    public override int Count => 2;

    // The client knows the shared address only.
    public override IEnumerable<int> Doors(int killed) => [0];

    public override async Task StartAsync()
    {
        if (Ip("-4 route show 198.51.100.0/24") is { Length: > 0 } route)
        {
            throw new InvalidOperationException($"the network of the shared address is taken, perhaps by a run that was killed: {route}");
        }

        Ip($"link add {_tag} type bridge");
        Ip($"link set {_tag} up");
        Ip($"addr add 198.51.100.254/24 dev {_tag}");
        for (var node = 0; node < Count; node++)
        {
            Ip($"netns add {_tag}n{node}");
            Ip($"link add {_tag}v{node} type veth peer name eth0 netns {_tag}n{node}");
            Ip($"link set {_tag}v{node} master {_tag} up");
            Ip($"-n {_tag}n{node} link set lo up");
            Ip($"-n {_tag}n{node} addr add {_hosts[node]}/24 dev eth0");
            Ip($"-n {_tag}n{node} link set eth0 up");
            await StartAsync(node);
        }

        await SettleAsync();
    }

    public override Task<int> SettleAsync() => UntilAsync("nobody has the address", async () =>
    {
        var owners = Enumerable.Range(0, Count).Where(HasAddress).ToList();
        var ready = owners.Count == 1 && await WriteAsync(0, default);
        if (ready)
        {
            // The other one must have heard an advertisement, or it would not know that it is a backup.
            await Task.Delay(TimeSpan.FromSeconds(4 * advertSeconds));
        }

        return ready && HasAddress(owners[0]) ? owners[0] : null;
    });

    public override void Kill(int node)
    {
        // The client's open connections would hide the move from it until TCP gives up.
        _client.Dispose();
        _client = NewClient();
        Ip($"link set {_tag}v{node} down");
        KillAll(node);
    }

    public override void Terminate(int node) => throw new NotSupportedException();

    public override async Task RestartAsync(int node)
    {
        await _keepalived[node]!.DisposeAsync();
        await _web[node]!.DisposeAsync();
        Array.ForEach(Directory.GetFiles(_folder, $"{node}.*"), File.Delete);
        Ip($"-n {_tag}n{node} addr flush dev eth0");
        Ip($"-n {_tag}n{node} addr add {_hosts[node]}/24 dev eth0");
        Ip($"link set {_tag}v{node} up");
        await StartAsync(node);
    }

    public override async Task<bool> WriteAsync(int node, CancellationToken cancellation)
    {
        try
        {
            using var body = new ByteArrayContent([1]);
            using var answer = await _client.PostAsync(new Uri($"http://{Shared}:{Port}/write"), body, cancellation);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or ObjectDisposedException)
        {
            return false;
        }
    }

    public override async ValueTask DisposeAsync()
    {
        for (var node = 0; node < Count; node++)
        {
            KillAll(node);
        }

        foreach (var server in _keepalived.Concat(_web).OfType<Server>())
        {
            await server.DisposeAsync();
        }

        for (var node = 0; node < Count; node++)
        {
            // A namespace goes when its last socket does; its cable, which the next pair would find there, not before.
            Ip($"link del {_tag}v{node}", mayFail: true);
            Ip($"netns del {_tag}n{node}", mayFail: true);
        }

        Ip($"link del {_tag}", mayFail: true);
        Directory.Delete(_folder, recursive: true);
        _client.Dispose();
    }

    // keepalived's own child too, which would outlive it for a moment: the next keepalived would find it at work, and end.
    private void KillAll(int node)
    {
        foreach (var id in Ip($"netns pids {_tag}n{node}", mayFail: true).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using var process = Process.GetProcessById(int.Parse(id, CultureInfo.InvariantCulture));
            process.Kill();
        }
    }

    private static HttpClient NewClient() => new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromMilliseconds(50), MaxConnectionsPerServer = 2000 });

    private bool HasAddress(int node) => Ip($"-n {_tag}n{node} -4 addr show dev eth0").Contains(Shared, StringComparison.Ordinal);

    private async Task StartAsync(int node)
    {
        var file = Path.Combine(_folder, $"{node}.conf");
        await File.WriteAllTextAsync(file, string.Create(CultureInfo.InvariantCulture, $$"""
            global_defs {
              vrrp_version 3
              vrrp_garp_master_delay 1
            }
            vrrp_instance writes {
              state BACKUP
              nopreempt
              interface eth0
              virtual_router_id 51
              priority {{100 - node}}
              advert_int {{advertSeconds}}
              unicast_src_ip {{_hosts[node]}}
              unicast_peer { {{_hosts[1 - node]}} }
              virtual_ipaddress { {{Shared}}/24 }
            }

            """));
        string[] inside = ["ip", "netns", "exec", $"{_tag}n{node}"];
        _web[node] = Server.Start(
            $"web {node}", [.. inside, "dotnet", typeof(KeepalivedPair).Assembly.Location, "serve", "bare", $"{Port}"],
            new Dictionary<string, string> { [ServeCommand.Bind] = "0.0.0.0" });
        await _web[node]!.PrintsAsync("listening");
        _keepalived[node] = Server.Start(
            $"keepalived {node}", [.. inside, "keepalived", "-n", "-l", "-f", file, "-p", Path.Combine(_folder, $"{node}.pid"), "-r", Path.Combine(_folder, $"{node}.vrrp")]);
    }

    private static string Ip(string arguments, bool mayFail = false)
    {
        using var process = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEnd();
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return mayFail || process.ExitCode == 0 ? output : throw new InvalidOperationException($"ip {arguments}: {error}");
    }
}
