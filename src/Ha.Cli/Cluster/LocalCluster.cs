using Ha.Cli.Nodes;
using Ha.Cli.Processes;
using Ha.Http;

namespace Ha.Cli.Cluster;

/// <summary>Nodes a, b, c, … of one cluster: processes of one application on loopback. Disposing it leaves nothing behind.</summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);

    // Shorter than a person's patience; a paused node accepts connections and never answers.
    private static readonly TimeSpan _answerPatience = TimeSpan.FromSeconds(4);

    public LocalCluster(App app, ClusterSettings settings)
    {
        App = app;
        Settings = settings;
        Admin = new NodeClient(AdminToken, _answerPatience);
        var urls = FreePorts.Find(settings.Nodes).Select(port => $"http://127.0.0.1:{port}").ToArray();
        var shared = SharedEnvironment(urls);
        var extra = settings.Environment?.Invoke(urls) ?? new Dictionary<string, string?>(StringComparer.Ordinal);
        Nodes = [.. urls.Select((url, i) => NewNode($"{(char)('a' + i)}", url, shared, extra))];
    }

    public App App { get; }

    public ClusterSettings Settings { get; }

    /// <summary>What <c>BASE_ADMIN_TOKEN</c> is.</summary>
    public string AdminToken { get; } = ClusterSettings.NewSecret();

    /// <summary>Sends that token.</summary>
    public NodeClient Admin { get; }

    public IReadOnlyList<NodeProcess> Nodes { get; }

    public NodeProcess this[string id] => Nodes.First(n => string.Equals(n.Id, id, StringComparison.Ordinal));

    public void Start()
    {
        foreach (var node in Nodes.Take(Settings.Started ?? Nodes.Count))
        {
            node.Start();
        }
    }

    /// <summary>Asks a node to hand its leadership over, to a certain node or to whoever is next. Returns what it answered, for people.</summary>
    public async Task<string> StepDownAsync(NodeProcess node, NodeProcess? to, CancellationToken cancellationToken)
    {
        var answer = await Admin.PostAsync(node.Url, HaRoutes.StepDown, to?.Id, cancellationToken);
        return answer.Trouble?.Words ?? "accepted";
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Nodes.Select(n => n.StopAsync(_patience)));
        Admin.Dispose();
    }

    private NodeProcess NewNode(
        string id, string url, IReadOnlyDictionary<string, string?> shared, IReadOnlyDictionary<string, string?> extra)
    {
        var environment = new Dictionary<string, string?>(shared, StringComparer.Ordinal)
        {
            ["BASE_NODE_ID"] = id,
            ["BASE_LOCAL_TARGET"] = url,
        };
        foreach (var (key, value) in extra.Concat(Settings.NodeEnvironment?.Invoke(id) ?? new Dictionary<string, string?>(StringComparer.Ordinal)))
        {
            environment[key] = value;
        }

        return new NodeProcess(id, url, App, environment);
    }

    private Dictionary<string, string?> SharedEnvironment(string[] urls) =>
        new(StringComparer.Ordinal)
        {
            ["BASE_PEERS"] = string.Join(',', urls),
            ["BASE_CLUSTER_SECRET"] = ClusterSettings.NewSecret(),
            ["BASE_ADMIN_TOKEN"] = AdminToken,
            ["BASE_HEARTBEAT_INTERVAL"] = Milliseconds(Settings.EffectiveInterval),
            ["BASE_LEASE_TIMEOUT"] = Milliseconds(Settings.EffectiveLease),
            ["BASE_FORWARD_MODE"] = Settings.Mode,
            // A page in a browser may ask its own node to proxy, also in redirect mode.
            ["BASE_FORWARD_OVERRIDE"] = "true",
        };

    private static string Milliseconds(TimeSpan duration) => $"{(long)duration.TotalMilliseconds}ms";
}
