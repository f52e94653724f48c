using System.Net.Http.Headers;
using System.Net.Http.Json;
using Ha.Chaos.Network;
using Ha.Cli.Cluster;

namespace Ha.Chaos.Nodes;

/// <summary>The nodes a, b, c, … over one database.</summary>
internal sealed class ChaosCluster : IAsyncDisposable
{
    public const string Client = "client";
    public const string Database = "database";
    public const string Store = "store";

    private readonly HttpClient _admin;
    private readonly string _adminToken = ClusterSettings.NewSecret();

    /// <param name="settings">What was asked for.</param>
    /// <param name="connection">The nodes' connection string.</param>
    /// <param name="leaseStore">The nodes' <c>BASE_LEASE_STORE</c>; null: they elect by themselves.</param>
    /// <param name="sockets">Of the client's namespace.</param>
    /// <param name="onDied">See <see cref="ChaosNode"/>.</param>
    public ChaosCluster(RunSettings settings, string connection, string? leaseStore, NamespaceSockets sockets, Action<ChaosNode, int> onDied)
    {
        _admin = new HttpClient(sockets.NewHandler()) { Timeout = TimeSpan.FromSeconds(2) };
        var addresses = Addresses(settings.Nodes).Where(a => a.Key.Length == 1).ToArray();
        var election = new Dictionary<string, string?>(StringComparer.Ordinal);
        if (leaseStore is not null)
        {
            election["BASE_LEASE_STORE"] = leaseStore;
        }
        else
        {
            election["BASE_PEERS"] = string.Join(',', addresses.Select(a => ChaosNode.UrlOf(a.Value)));
            election["BASE_CLUSTER_SECRET"] = ClusterSettings.NewSecret();
        }

        Nodes = [.. addresses.Select((a, i) => new ChaosNode(a.Key, a.Value, new(election, StringComparer.Ordinal)
        {
            ["BASE_NODE_ID"] = a.Key,
            ["BASE_LOCAL_TARGET"] = ChaosNode.UrlOf(a.Value),
            ["BASE_ADMIN_TOKEN"] = _adminToken,
            ["BASE_HEARTBEAT_INTERVAL"] = $"{settings.Interval.TotalMilliseconds}ms",
            // Both ways of forwarding in one cluster: clients meet either.
            ["BASE_FORWARD_MODE"] = i % 2 == 0 ? "proxy" : "redirect",
            ["ConnectionStrings__Notes"] = connection,
            ["DOTNET_EnableDiagnostics"] = "0",
            // They start so often that measuring for later speed costs more than it gives.
            ["DOTNET_TieredPGO"] = "0",
            ["DOTNET_STARTUP_HOOKS"] = typeof(StartupHook).Assembly.Location,
            [StartupHook.Variable] = Path.Combine(settings.Folder, $"pressure-{a.Key}"),
            ["Logging__Console__FormatterName"] = "simple",
            ["Logging__Console__FormatterOptions__SingleLine"] = "true",
        }, Path.Combine(settings.Folder, $"node-{a.Key}.log"), onDied))];
    }

    public IReadOnlyList<ChaosNode> Nodes { get; }

    /// <summary>Every member of the network with its address: the nodes by their one-letter ids, the clients, the servers.</summary>
    public static IReadOnlyDictionary<string, string> Addresses(int nodes)
    {
        var addresses = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [Client] = "10.77.0.2",
            [Database] = "10.77.0.3",
            [Store] = "10.77.0.4",
        };
        for (var i = 0; i < nodes; i++)
        {
            addresses[$"{(char)('a' + i)}"] = $"10.77.0.{11 + i}";
        }

        return addresses;
    }

    public void Start()
    {
        foreach (var node in Nodes)
        {
            node.Start();
        }
    }

    /// <summary>Asks a node to hand over; says what it answered.</summary>
    public async Task<string> StepDownAsync(ChaosNode node, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{node.Url}/_ha/step-down") { Content = JsonContent.Create(new { }) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _adminToken);
        try
        {
            using var answer = await _admin.SendAsync(request, cancellationToken);
            return $"{(int)answer.StatusCode}";
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return e.Message;
        }
    }

    /// <summary>The wall clock of a node, from the <c>Date</c> header of an answer; null when it does not answer.</summary>
    public async Task<DateTimeOffset?> WallClockAsync(ChaosNode node, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await _admin.GetAsync($"{node.Url}/_ha/healthz", cancellationToken);
            return answer.Headers.Date;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Nodes.Select(n => n.DisposeAsync().AsTask()));
        _admin.Dispose();
    }
}
