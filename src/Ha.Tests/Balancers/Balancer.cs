using Ha.Cli.Processes;
using Ha.Tests.Processes;
using Ha.Tests.Support;

namespace Ha.Tests.Balancers;

/// <summary>A real load balancer on loopback before three nodes, with the configuration that the documentation shows.</summary>
internal sealed class Balancer : IAsyncDisposable
{
    public const string Folder = "docs/load-balancers";

    public static readonly string[] Names = ["haproxy", "nginx", "caddy"];

    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(10);

    private static readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false });

    private readonly ChildProcess _program;
    private readonly string _folder;

    private Balancer(Door door, ChildProcess program, string folder)
    {
        Door = door;
        _program = program;
        _folder = folder;
    }

    public Door Door { get; }

    public string Output => string.Join('\n', _program.Output);

    /// <summary>Waits until it lets requests through.</summary>
    public Task ServesAsync() => Eventually.True(async () =>
    {
        Assert.False(_program.State == ProcessState.Dead, $"{Door.Id} ended:\n{Output}");
        try
        {
            using var answer = await _client.GetAsync(new Uri($"{Door.Url}/whoami"));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }, what: $"{Door.Id} lets requests through");

    public async ValueTask DisposeAsync()
    {
        await _program.StopAsync(_patience);
        Directory.Delete(_folder, recursive: true);
    }

    public static Balancer Start(string name, IEnumerable<Door> nodes)
    {
        var folder = Directory.CreateTempSubdirectory($"ha-{name}-").FullName;
        var listen = FreeAddress();
        string[] targets = [.. nodes.Select(node => new Uri(node.Url).Authority)];
        var program = name switch
        {
            "haproxy" => HAProxy(Path.Combine(Repository.Root, Folder, "haproxy.cfg"), listen, targets),
            "nginx" => Nginx(folder, listen, targets),
            _ => Caddy(folder, listen, targets),
        };
        return new Balancer(new Door(name, $"http://{listen}"), program, folder);
    }

    /// <summary>HAProxy before nodes that have names, which it asks this server about.</summary>
    public static Balancer StartHAProxyWithNames(string dnsServer, string[] targets)
    {
        var folder = Directory.CreateTempSubdirectory("ha-haproxy-").FullName;
        var listen = FreeAddress();
        var file = WriteConfiguration(folder, "haproxy.cfg", [], ("parse-resolv-conf", $"nameserver test {dnsServer}"));
        return new Balancer(new Door("haproxy", $"http://{listen}"), HAProxy(file, listen, targets), folder);
    }

    private static string FreeAddress() => $"127.0.0.1:{FreePorts.Find(1)[0]}";

    private static ChildProcess HAProxy(string file, string listen, string[] targets)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["LISTEN"] = listen,
            ["NODE_A"] = targets[0],
            ["NODE_B"] = targets[1],
            ["NODE_C"] = targets[2],
        };
        return Run([Find("haproxy")!, "-db", "-f", file], environment);
    }

    private static ChildProcess Nginx(string folder, string listen, string[] targets)
    {
        // Debian builds its directories in; whoever runs the tests may not write there.
        var directories = string.Concat(
            ((string[])["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]).Select(kind => $"{kind}_temp_path {folder}/{kind};\n"));
        var file = WriteConfiguration(folder, "nginx.conf", targets, ("listen 80;", $"listen {listen};"), ("http {", $"http {{\naccess_log off;\n{directories}"));
        // Its workers use the folder too, so they must not change to another user.
        var user = string.Equals(Environment.UserName, "root", StringComparison.Ordinal) ? "user root;" : "";
        return Run([Find("nginx")!, "-c", file, "-e", "stderr", "-g", $"daemon off; pid {folder}/pid; {user}"]);
    }

    private static ChildProcess Caddy(string folder, string listen, string[] targets)
    {
        var file = WriteConfiguration(folder, "Caddyfile", targets, ("\n:80 {", $"\nhttp://{listen} {{"));
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["XDG_DATA_HOME"] = folder, ["XDG_CONFIG_HOME"] = folder };
        return Run([Find("caddy")!, "run", "--adapter", "caddyfile", "--config", file], environment);
    }

    private static ChildProcess Run(string[] command, Dictionary<string, string?>? environment = null)
    {
        var program = new ChildProcess(command) { Environment = environment ?? [], WorkingDirectory = "/" };
        program.Start();
        return program;
    }

    /// <summary>The documented file with this run's addresses; each replacement must find its place.</summary>
    private static string WriteConfiguration(string folder, string name, string[] targets, params (string Old, string New)[] changes)
    {
        var text = Repository.Read($"{Folder}/{name}");
        foreach (var (old, @new) in targets.Select((target, i) => ($"10.0.0.{i + 1}:8080", target)).Concat(changes))
        {
            Assert.Contains(old, text, StringComparison.Ordinal);
            text = text.Replace(old, @new, StringComparison.Ordinal);
        }

        var file = Path.Combine(folder, name);
        File.WriteAllText(file, text);
        return file;
    }

    public static string? Find(string name) =>
        new[] { "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin" }.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}
