using System.Net.Http.Headers;

namespace MinimalApiApp.Cluster;

/// <summary>Nodes a, b, c, … of one cluster: processes on loopback over one database. Disposing it leaves nothing behind.</summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);

    private readonly HttpClient _admin = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false });
    private readonly string _adminToken = ClusterSettings.NewSecret();
    private readonly DirectoryInfo? _temporary;

    public LocalCluster(ClusterSettings settings)
    {
        Settings = settings;
        if (settings.Database is null && settings.Data is null)
        {
            _temporary = Directory.CreateTempSubdirectory("notes-cluster-");
        }

        Database = settings.Database ?? $"Data Source={Path.GetFullPath(settings.Data ?? Path.Combine(_temporary!.FullName, "notes.db"))}";
        var urls = FreePorts.Find(settings.Nodes).Select(port => $"http://127.0.0.1:{port}").ToArray();
        var shared = SharedEnvironment(urls);
        var extra = settings.Environment?.Invoke(urls) ?? new Dictionary<string, string?>(StringComparer.Ordinal);
        Nodes = [.. urls.Select((url, i) => NewNode($"{(char)('a' + i)}", url, shared, extra))];
    }

    public ClusterSettings Settings { get; }

    public string Database { get; }

    public IReadOnlyList<NodeProcess> Nodes { get; }

    public NodeProcess this[string id] => Nodes.First(n => string.Equals(n.Id, id, StringComparison.Ordinal));

    /// <summary>Starts all nodes at once.</summary>
    public Task StartAsync() => Task.WhenAll(Nodes.Select(n => n.StartAsync()));

    /// <summary>Asks a node to hand its leadership over, to a certain node or to whoever is next. Returns what it answered, for people.</summary>
    public async Task<string> StepDownAsync(NodeProcess node, NodeProcess? to, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{node.Url}/_ha/step-down");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _adminToken);
        // Always a content object: without one the handler may send the request twice.
        request.Content = to is null ? JsonContent.Create(new { }) : JsonContent.Create(new { to = to.Id });
        try
        {
            using var answer = await _admin.SendAsync(request, cancellationToken);
            return answer.IsSuccessStatusCode ? "accepted" : $"answered {(int)answer.StatusCode}";
        }
        catch (HttpRequestException e)
        {
            return $"failed: {e.Message}";
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Nodes.Select(n => n.StopAsync(_patience)));
        _admin.Dispose();
        if (_temporary is not null)
        {
            _temporary.Delete(recursive: true);
        }
    }

    private static NodeProcess NewNode(
        string id, string url, IReadOnlyDictionary<string, string?> shared, IReadOnlyDictionary<string, string?> extra)
    {
        var environment = new Dictionary<string, string?>(shared, StringComparer.Ordinal)
        {
            ["BASE_NODE_ID"] = id,
            ["BASE_LOCAL_TARGET"] = url,
        };
        foreach (var (key, value) in extra)
        {
            environment[key] = value;
        }

        return new NodeProcess(id, url, environment);
    }

    private Dictionary<string, string?> SharedEnvironment(string[] urls) =>
        new(StringComparer.Ordinal)
        {
            ["BASE_PEERS"] = string.Join(',', urls),
            ["BASE_CLUSTER_SECRET"] = ClusterSettings.NewSecret(),
            ["BASE_ADMIN_TOKEN"] = _adminToken,
            ["BASE_HEARTBEAT_INTERVAL"] = Milliseconds(Settings.EffectiveInterval),
            ["BASE_LEASE_TIMEOUT"] = Milliseconds(Settings.EffectiveLease),
            ["BASE_FORWARD_MODE"] = Settings.Mode,
            // The notes page writes through the node it came from, also in redirect mode.
            ["BASE_FORWARD_OVERRIDE"] = "true",
            ["ConnectionStrings__Notes"] = Database,
            // Set for this run or not at all: what the shell has is not about these nodes.
            ["BASE_STATIC_LEADER"] = null,
            ["BASE_PUBLIC_TARGET"] = null,
        };

    private static string Milliseconds(TimeSpan duration) => $"{(long)duration.TotalMilliseconds}ms";
}
