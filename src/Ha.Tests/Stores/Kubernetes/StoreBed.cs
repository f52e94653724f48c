using System.Security.Cryptography;
using Ha.Kubernetes;
using k8s;
using k8s.Authentication;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Stores.Kubernetes;

/// <summary>A fake API server and stores on it, as pods have them: a token in a file.</summary>
internal sealed class StoreBed : IAsyncDisposable
{
    public const string Key = "shop/notes";

    public static readonly LeaseMember Self = Member("a");

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ha-k8s-");
    private readonly List<KubernetesLeaseStore> _stores = [];

    private StoreBed(FakeApiServer server)
    {
        Server = server;
        File.WriteAllText(TokenFile, "token-1");
    }

    public FakeApiServer Server { get; }

    public string TokenFile => Path.Combine(_folder.FullName, "token");

    /// <summary>How often a store asked for its credentials.</summary>
    public int Reads { get; private set; }

    public static async Task<StoreBed> StartAsync() => new(await FakeApiServer.StartAsync());

    public static LeaseMember Member(string id) => new() { NodeId = id, Incarnation = RandomNumberGenerator.GetHexString(32, lowercase: true), Eligible = true };

    public static LeaseRecord Record(string? holder, long epoch = 7, string? incarnation = null) => new()
    {
        HolderId = holder,
        Incarnation = incarnation ?? new string('a', 32),
        Epoch = epoch,
        Duration = TimeSpan.FromMilliseconds(1500),
        Url = "https://a.example",
        Target = "http://10.0.0.1:8080",
    };

    /// <param name="value">As in the setting.</param>
    /// <param name="time">Null: the machine's.</param>
    /// <param name="clusterId">Null: the default one.</param>
    /// <param name="lease">Null: long enough for a busy machine.</param>
    public KubernetesLeaseStore Store(string value = Key, TimeProvider? time = null, string clusterId = "default", TimeSpan? lease = null)
    {
        var services = new ServiceCollection().AddSingleton(time ?? TimeProvider.System).BuildServiceProvider();
        var store = new KubernetesLeaseStore(new LeaseStoreContext(value, clusterId, lease ?? TimeSpan.FromSeconds(30), services), () =>
        {
            Reads++;
            return new KubernetesClientConfiguration { Host = Server.Address.AbsoluteUri, TokenProvider = new TokenFileAuth(TokenFile) };
        });
        _stores.Add(store);
        return store;
    }

    public static async Task<LeaseAnswer> WriteAsync(KubernetesLeaseStore store, LeaseRecord record, string? expected) =>
        await store.TryWriteAsync(record, expected, Self, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores)
        {
            await store.DisposeAsync();
        }

        await Server.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
