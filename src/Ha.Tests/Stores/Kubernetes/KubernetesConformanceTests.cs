using Ha.Testing;

namespace Ha.Tests.Stores.Kubernetes;

/// <summary>What every store must pass, against the fake API server.</summary>
public sealed class KubernetesConformanceTests : LeaseStoreConformance, IAsyncLifetime
{
    private StoreBed _bed = null!;

    public static TheoryData<string> Names => [.. CheckNames];

    protected override bool KeepsMembers => false;

    [Theory]
    [MemberData(nameof(Names))]
    public Task It_conforms(string check) => RunAsync(check);

    public async Task InitializeAsync() => _bed = await StoreBed.StartAsync();

    public async Task DisposeAsync() => await _bed.DisposeAsync();

    protected override Task<ILeaseStore> CreateAsync(string clusterId) => Task.FromResult<ILeaseStore>(_bed.Store(clusterId: clusterId));

    protected override Task<bool> DeleteRecordAsync(string clusterId) => Task.FromResult(_bed.Server.Objects.Delete($"{StoreBed.Key}-{clusterId}"));
}
