using Ha.Chaos.Nodes;
using Ha.Cli.Cluster;
using Ha.Cli.Processes;

namespace Ha.Tests.Processes;

/// <summary>
/// A real store on loopback in a folder that goes away with it, and a way to it for each node, which can be cut. What the
/// nodes write to is another server: with a file, a leader that stands still inside a transaction would lock out the next one.
/// </summary>
internal sealed class StoreBed : IAsyncDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"ha-store-{Guid.NewGuid():N}");
    private readonly Dictionary<string, StoreLink> _links = new(StringComparer.Ordinal);
    private IStoreServer? _server;
    private PostgresProcess? _notes;
    private int _notesPort;

    private StoreBed(StoreKind kind) => Kind = kind;

    public StoreKind Kind { get; }

    public IStoreServer Server => _server!;

    /// <summary>What keeps the record; a pool may stand before it.</summary>
    public ServerProcess Keeper => Server.Processes[0];

    /// <summary>What the nodes write to.</summary>
    public string Notes => $"Host=127.0.0.1;Port={_notesPort};Username=postgres;Database=postgres;Timeout=5;Command Timeout=5;Maximum Pool Size=20";

    /// <param name="kind">Which.</param>
    /// <param name="nodes">The nodes are a, b, c, …</param>
    public static async Task<StoreBed> StartAsync(StoreKind kind, int nodes)
    {
        var bed = new StoreBed(kind);
        try
        {
            Directory.CreateDirectory(bed._folder);

            // The server behind a pool has the port after it.
            var port = FreePorts.Find(1)[0];
            bed._server = await kind.StartAsync(Path.Combine(bed._folder, "store"), new Place(null, "127.0.0.1", port), Path.Combine(bed._folder, "store.log"));
            bed._notesPort = FreePorts.Find(1)[0];
            bed._notes = await PostgresProcess.StartAsync(Path.Combine(bed._folder, "notes"), new Place(null, "127.0.0.1", bed._notesPort),
                Path.Combine(bed._folder, "notes.log"), "max_connections=100", "fsync=off");
            for (var i = 0; i < nodes; i++)
            {
                bed._links[$"{(char)('a' + i)}"] = new StoreLink(port);
            }

            return bed;
        }
        catch
        {
            await bed.DisposeAsync();
            throw;
        }
    }

    public StoreLink Link(NodeProcess node) => _links[node.Id];

    /// <summary>The variables of a node that elects through its link instead of by a list of peers.</summary>
    public IReadOnlyDictionary<string, string?> Environment(string node) => new Dictionary<string, string?>(StringComparer.Ordinal)
    {
        ["BASE_PEERS"] = null,
        ["BASE_CLUSTER_SECRET"] = null,
        ["BASE_LEASE_STORE"] = Server.LeaseStore("127.0.0.1", _links[node].Port),
    };

    /// <summary>Ends and begins again, as fast as it can and without a word to anybody.</summary>
    public async Task RestartAsync()
    {
        if (Kind == StoreKind.Redis)
        {
            await Keeper.KillAsync();
        }
        else
        {
            await Keeper.StopAsync(Posix.SigQuit);
        }

        await Keeper.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var link in _links.Values)
        {
            await link.DisposeAsync();
        }

        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        if (_notes is not null)
        {
            await _notes.DisposeAsync();
        }

        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }
}
