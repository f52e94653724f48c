using System.Globalization;
using Ha.Benchmarks.Processes;
using Ha.Cli.Processes;

namespace Ha.Benchmarks.Failover;

/// <summary>Three processes with the plugin, in proxy mode, members of one majority.</summary>
internal sealed class HaCluster : Contender
{
    private const string AdminToken = "a-token-that-only-this-benchmark-knows";

    private readonly int[] _ports;
    private readonly Server?[] _servers;
    private readonly IReadOnlyDictionary<string, string> _more;
    private readonly string? _example;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ha-failover-");
    private readonly int _intervalMilliseconds;
    private readonly int _leaseMilliseconds;
    private readonly HttpClient _client = new(new SocketsHttpHandler { MaxConnectionsPerServer = 1000 });
    private readonly LeaderWatch _watch;

    /// <param name="count">How many processes.</param>
    /// <param name="intervalMilliseconds">Between heartbeats.</param>
    /// <param name="leaseMilliseconds">The lease.</param>
    /// <param name="more">Variables beside those of the cluster.</param>
    /// <param name="example">The example as an assembly or an executable, whose writes are notes in one SQLite file; null: nothing but the plugin.</param>
    public HaCluster(int count, int intervalMilliseconds, int leaseMilliseconds, IReadOnlyDictionary<string, string>? more = null, string? example = null)
    {
        _example = example;
        _ports = [.. FreePorts.Find(count)];
        _servers = new Server?[count];
        _intervalMilliseconds = intervalMilliseconds;
        _leaseMilliseconds = leaseMilliseconds;
        _more = more ?? new Dictionary<string, string>();
        _watch = new LeaderWatch([.. _ports.Select(Url)]);
    }

    public override string Name => _example is null ? "Ha" : $"Ha, the example{(_example.EndsWith(".dll", StringComparison.Ordinal) ? "" : " as published")}";

    public override string Settings => $"{_intervalMilliseconds}/{_leaseMilliseconds} ms";

    public override int Count => _ports.Length;

    public override int? TwoLeaders => _watch.Overlaps;

    public LeaderWatch Watch => _watch;

    public IEnumerable<Server> Servers => _servers.OfType<Server>();

    public static string Url(int port) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}");

    public string Url(int node, string path) => Url(_ports[node]) + path;

    public override async Task StartAsync()
    {
        for (var node = 0; node < Count; node++)
        {
            Start(node);
        }

        await SettleAsync();
        _watch.Start();
    }

    public override Task<int> SettleAsync() => UntilAsync("no leader that everybody is ready beside", async () =>
    {
        int? leader = null;
        for (var node = 0; node < Count; node++)
        {
            var claim = await _watch.AskAsync(node);
            var ready = await IsReadyAsync(node);
            if (claim is null || claim.Url.Length == 0 || !ready)
            {
                return null;
            }

            leader = claim.IsSelf ? node : leader;
        }

        return leader is { } known && await WriteAsync(known, default) ? leader : null;
    });

    public override void Kill(int node)
    {
        _servers[node]!.Kill();
        _watch.Forget(node);
    }

    public override void Terminate(int node) => _servers[node]!.Terminate();

    public override void StepDown(int node) => _ = StepDownAsync(node);

    public override async Task RestartAsync(int node)
    {
        await _servers[node]!.WaitForExitAsync();
        await _servers[node]!.DisposeAsync();
        _watch.Forget(node);
        Start(node);
    }

    public override async Task<bool> WriteAsync(int node, CancellationToken cancellation)
    {
        try
        {
            using HttpContent body = _example is null ? new ByteArrayContent([1]) : new StringContent("""{"text":"hello"}""", null, "application/json");
            using var answer = await _client.PostAsync(new Uri(Url(node, _example is null ? "/write" : "/notes")), body, cancellation);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await _watch.DisposeAsync();
        foreach (var server in Servers)
        {
            await server.DisposeAsync();
        }

        _client.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task StepDownAsync(int node)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Url(node, "/_ha/step-down")));
        request.Headers.Authorization = new("Bearer", AdminToken);
        using var answer = await _client.SendAsync(request);
        answer.EnsureSuccessStatusCode();
    }

    private async Task<bool> IsReadyAsync(int node)
    {
        try
        {
            using var answer = await _client.GetAsync(new Uri(Url(node, "/_ha/healthz/ready")));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private void Start(int node)
    {
        var environment = new Dictionary<string, string>
        {
            ["BASE_NODE_ID"] = $"node-{node}",
            ["BASE_LOCAL_TARGET"] = Url(_ports[node]),
            ["BASE_PEERS"] = string.Join(',', _ports.Select(Url)),
            ["BASE_CLUSTER_SECRET"] = "a secret that only this benchmark knows",
            ["BASE_HEARTBEAT_INTERVAL"] = $"{_intervalMilliseconds}ms",
            ["BASE_LEASE_TIMEOUT"] = $"{_leaseMilliseconds}ms",
            ["BASE_FORWARD_MODE"] = "proxy",
            ["BASE_PREEMPT"] = "never",
            ["BASE_ADMIN_TOKEN"] = AdminToken,
        };
        foreach (var (key, value) in _more)
        {
            environment[key] = value;
        }

        if (_example is null)
        {
            _servers[node] = Server.StartSelf($"node-{node}", ["serve", "ha", $"{_ports[node]}"], environment);
            return;
        }

        environment["ASPNETCORE_URLS"] = Url(_ports[node]);
        environment["ConnectionStrings__Notes"] = $"Data Source={Path.Combine(_folder.FullName, "notes.db")}";
        _servers[node] = Server.Start($"node-{node}", _example.EndsWith(".dll", StringComparison.Ordinal) ? ["dotnet", _example] : [_example], environment);
    }
}
