using System.Globalization;
using System.Text;
using System.Text.Json;
using Ha.Benchmarks.Processes;
using Ha.Cli.Processes;

namespace Ha.Benchmarks.Failover;

/// <summary>Three members of Debian's etcd, written to through its JSON gateway.</summary>
internal sealed class EtcdCluster(int heartbeatMilliseconds, int electionMilliseconds) : Contender
{
    private readonly int[] _clients = [.. FreePorts.Find(3)];
    private readonly int[] _peers = [.. FreePorts.Find(3)];
    private readonly Server?[] _servers = new Server?[3];
    private readonly string _folder = Directory.CreateTempSubdirectory("ha-etcd-").FullName;
    private readonly HttpClient _client = new(new SocketsHttpHandler { MaxConnectionsPerServer = 1000 });

    public override string Name => "etcd 3.4";

    public override string Settings => $"{heartbeatMilliseconds}/{electionMilliseconds} ms";

    public override int Count => 3;

    public override async Task StartAsync()
    {
        for (var node = 0; node < Count; node++)
        {
            Start(node, "new");
        }

        await SettleAsync();
    }

    public override Task<int> SettleAsync() => UntilAsync("no leader that everybody follows", async () =>
    {
        int? leader = null;
        string? named = null;
        for (var node = 0; node < Count; node++)
        {
            if (await PostAsync(node, "/v3/maintenance/status", "{}", default) is not { } status)
            {
                return null;
            }

            using var json = JsonDocument.Parse(status);
            var said = json.RootElement.TryGetProperty("leader", out var id) ? id.GetString() : null;
            named ??= said;
            if (said is null or "0" || said != named)
            {
                return null;
            }

            leader = json.RootElement.GetProperty("header").GetProperty("member_id").GetString() == said ? node : leader;
        }

        return leader is { } known && await WriteAsync(known, default) ? leader : null;
    });

    public override void Kill(int node) => _servers[node]!.Kill();

    public override void Terminate(int node) => _servers[node]!.Terminate();

    public override async Task RestartAsync(int node)
    {
        await _servers[node]!.WaitForExitAsync();
        await _servers[node]!.DisposeAsync();
        Start(node, "existing");
    }

    public override async Task<bool> WriteAsync(int node, CancellationToken cancellation) =>
        await PostAsync(node, "/v3/kv/put", """{"key":"aGE=","value":"MQ=="}""", cancellation) is not null;

    public override async ValueTask DisposeAsync()
    {
        foreach (var server in _servers.OfType<Server>())
        {
            await server.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
        _client.Dispose();
    }

    private async Task<string?> PostAsync(int node, string path, string json, CancellationToken cancellation)
    {
        try
        {
            using var body = new StringContent(json, Encoding.UTF8, "application/json");
            using var answer = await _client.PostAsync(new Uri(Url(_clients[node]) + path), body, cancellation);
            return answer.IsSuccessStatusCode ? await answer.Content.ReadAsStringAsync(cancellation) : null;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return null;
        }
    }

    private static string Url(int port) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}");

    private void Start(int node, string state) => _servers[node] = Server.Start(
        $"etcd {node}",
        [
            "etcd", "--name", $"n{node}", "--data-dir", Path.Combine(_folder, $"n{node}"),
            "--listen-client-urls", Url(_clients[node]), "--advertise-client-urls", Url(_clients[node]),
            "--listen-peer-urls", Url(_peers[node]), "--initial-advertise-peer-urls", Url(_peers[node]),
            "--initial-cluster", string.Join(',', _peers.Select((port, i) => $"n{i}={Url(port)}")), "--initial-cluster-state", state,
            "--heartbeat-interval", $"{heartbeatMilliseconds}", "--election-timeout", $"{electionMilliseconds}", "--log-level", "error",
        ],
        new Dictionary<string, string> { ["ETCD_UNSUPPORTED_ARCH"] = "" });
}
