using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Ha.Cli.Cluster;
using Ha.Cli.Processes;
using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

/// <summary>
/// Real processes of the example, or of another application, on loopback, with a client that follows nothing by itself.
/// Disposing it stops every process by its pid and, for a failed test's reader, prints what the nodes said.
/// </summary>
internal sealed class ExampleCluster : IAsyncDisposable
{
    /// <summary>Fast enough for many tests, slow enough for a busy machine.</summary>
    public static readonly TimeSpan QuickInterval = TimeSpan.FromMilliseconds(200);

    private static readonly TimeSpan _startUp = TimeSpan.FromSeconds(30);

    private readonly ITestOutputHelper _output;
    private readonly LocalCluster _processes;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notes-cluster-");
    private readonly ClusterApp _app;

    private ExampleCluster(ITestOutputHelper output, ClusterSettings settings, string? database, ClusterApp? app)
    {
        _output = output;
        _app = app ?? Notes(Example);
        Database = database ?? $"Data Source={Path.Combine(_folder.FullName, "notes.db")}";
        _processes = new LocalCluster(_app.App, settings with { Environment = urls => With(settings.Environment?.Invoke(urls)) });
    }

    /// <summary>The example as a program.</summary>
    public static App Example { get; } = App.Assembly(typeof(MinimalApiApp.Program).Assembly.Location);

    /// <summary>The example as it was published: an executable of its own.</summary>
    public static ClusterApp Published(string path) => Notes(new App(Path.GetFileName(path), [Path.GetFullPath(path)]));

    public HttpClient Http { get; } = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
    {
        Timeout = TimeSpan.FromMinutes(2),
    };

    public IReadOnlyList<NodeProcess> Nodes => _processes.Nodes;

    public NodeProcess A => Nodes[0];

    public NodeProcess B => Nodes[1];

    public NodeProcess C => Nodes[2];

    public TimeSpan Lease => _processes.Settings.EffectiveLease;

    public string Database { get; }

    /// <summary>Starts the nodes and waits until each of them serves; not for a leader.</summary>
    public static async Task<ExampleCluster> StartAsync(
        ITestOutputHelper output, ClusterSettings settings, string? database = null, ClusterApp? app = null)
    {
        var cluster = new ExampleCluster(output, settings, database, app);
        try
        {
            cluster._processes.Start();
            await Task.WhenAll(cluster.Nodes.Take(settings.Started ?? settings.Nodes).Select(cluster.WaitUntilServingAsync));
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>A cluster that <c>a</c> leads.</summary>
    public static async Task<ExampleCluster> StartWithLeaderAsync(
        ITestOutputHelper output, ClusterSettings? settings = null, string? database = null, ClusterApp? app = null)
    {
        var cluster = await StartAsync(output, settings ?? new ClusterSettings { Interval = QuickInterval }, database, app);
        try
        {
            await cluster.MakeALeadAsync();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>On a busy machine a may come late to the first election; it is not what most tests are about.</summary>
    private Task MakeALeadAsync() => Eventually.True(async () =>
    {
        var leader = await WaitForLeaderAsync();
        if (leader.NodeId is "a")
        {
            return true;
        }

        // Refused until a has heard enough of the others.
        await StepDownAsync(Node(leader), to: A);
        return false;
    }, TimeSpan.FromSeconds(60), "a leads");

    public Task WaitUntilServingAsync(NodeProcess node) => Eventually.True(async () =>
    {
        Assert.True(node.State != ProcessState.Dead, $"node {node.Id} ended with {node.ExitCode}:\n{string.Join('\n', node.Output)}");
        return await TryGetAsync(node, _app.ServingPath) is not null;
    }, _startUp, what: $"node {node.Id} serves");

    /// <summary>Starts a node that was ended before, once its process is gone: the end of a killed process can be late.</summary>
    public async Task StartAgainAsync(NodeProcess node)
    {
        await node.WhenDead.WaitAsync(_startUp);
        node.Start();
        await WaitUntilServingAsync(node);
    }

    /// <summary>Waits until every running node names one leader, which says so itself, in a later epoch than given.</summary>
    public Task<LeaderAnswer> WaitForLeaderAsync(long afterEpoch = 0, TimeSpan? within = null) => Eventually.NotNull(async () =>
    {
        var running = Nodes.Where(n => n.State == ProcessState.Running).ToArray();
        var answers = await Task.WhenAll(running.Select(LeaderAsync));
        var leader = answers.FirstOrDefault(a => a is { IsSelf: true } && a.Epoch > afterEpoch);
        return answers.All(a => a is not null && leader is not null && a.NodeId == leader.NodeId && a.Epoch == leader.Epoch) ? leader : null;
    }, within ?? TimeSpan.FromSeconds(30), $"one leader after epoch {afterEpoch}");

    /// <summary>What <c>/_ha/leader</c> says, or null when the node does not answer.</summary>
    public async Task<LeaderAnswer?> LeaderAsync(NodeProcess node) => await TryGetAsync(node, "/_ha/leader") is { } json ? LeaderAnswer.Parse(json) : null;

    public async Task<NodeAnswer> SendAsync(Door door, string method, string path, string? json = null, string? key = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(door.Url + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        if (method is not "GET")
        {
            request.Content = new StringContent(json ?? "", Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        }

        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", $"\"{key}\"");
        }

        using var answer = await Http.SendAsync(request);
        return new NodeAnswer((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Headers, answer.Content.Headers);
    }

    public Task<NodeAnswer> AddAsync(Door door, string text, string? key = null) =>
        SendAsync(door, "POST", "/notes", JsonSerializer.Serialize(new { text }), key);

    /// <summary>All notes, read page by page from one node.</summary>
    public async Task<IReadOnlyList<NoteAnswer>> NotesAsync(NodeProcess node)
    {
        var all = new List<NoteAnswer>();
        for (var before = -1; before < all.Count;)
        {
            before = all.Count;
            var page = await SendAsync(node, "GET", $"/notes?after={(all.Count == 0 ? 0 : all[^1].Id)}");
            all.AddRange(page.Json.EnumerateArray().Select(NoteAnswer.Parse));
        }

        return all;
    }

    public Task<string> StepDownAsync(NodeProcess node, NodeProcess? to = null) => _processes.StepDownAsync(node, to, CancellationToken.None);

    public NodeProcess Node(LeaderAnswer leader) => _processes[leader.NodeId];

    public async ValueTask DisposeAsync()
    {
        await _processes.DisposeAsync();
        _folder.Delete(recursive: true);
        Http.Dispose();
        foreach (var node in Nodes)
        {
            _output.WriteLine($"--- node {node.Id}, pid {node.Pid}, exit code {node.ExitCode}\n{string.Join('\n', node.Output.TakeLast(40))}");
        }
    }

    private static ClusterApp Notes(App app) => new(app, "ConnectionStrings__Notes", "/whoami");

    private Dictionary<string, string?> With(IReadOnlyDictionary<string, string?>? environment) =>
        new(environment ?? new Dictionary<string, string?>(), StringComparer.Ordinal) { [_app.DatabaseKey] = Database };

    private async Task<string?> TryGetAsync(NodeProcess node, string path)
    {
        try
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            using var answer = await Http.GetAsync(node.Url + path, patience.Token);
            return answer.IsSuccessStatusCode ? await answer.Content.ReadAsStringAsync(patience.Token) : null;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return null;
        }
    }
}

/// <summary>What the nodes run.</summary>
/// <param name="App">The program.</param>
/// <param name="DatabaseKey">The variable that names its database.</param>
/// <param name="ServingPath">Answers 200 once it serves.</param>
internal sealed record ClusterApp(App App, string DatabaseKey, string ServingPath);

internal sealed record LeaderAnswer(string NodeId, string Url, long Epoch, bool IsSelf)
{
    public static LeaderAnswer Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        var root = document.RootElement;
        return new LeaderAnswer(root.GetProperty("node_id").GetString() ?? "", root.GetProperty("leader_url").GetString() ?? "",
            root.GetProperty("epoch").GetInt64(), root.GetProperty("is_self").GetBoolean());
    }
}

internal sealed record NodeAnswer(int Status, string Body, HttpResponseHeaders Headers, HttpContentHeaders ContentHeaders)
{
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    /// <summary>As it came: a parsed Location would be shown tidied up.</summary>
    public string? Header(string name) => Headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;
}

internal sealed record NoteAnswer(long Id, string Text, string Node, long Epoch)
{
    public static NoteAnswer Parse(JsonElement json) => new(json.GetProperty("id").GetInt64(), json.GetProperty("text").GetString()!,
        json.GetProperty("node").GetString()!, json.GetProperty("epoch").GetInt64());
}

/// <summary>Tests with processes run one after the other: they measure, and the machine has few cores.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ProcessTests : ICollectionFixture<PostgresServer>
{
    public const string Name = "processes";
}
