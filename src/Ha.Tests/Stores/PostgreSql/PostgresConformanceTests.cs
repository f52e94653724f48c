using Ha.PostgreSql;
using Ha.Testing;
using Ha.Tests.Support;

namespace Ha.Tests.Stores.PostgreSql;

[Collection(LeaseServerTests.Name)]
public sealed class PostgresConformanceTests(PostgresServer server) : LeaseStoreConformance, IAsyncLifetime
{
    private string _database = "";

    public static TheoryData<string> Names => [.. CheckNames];

    public async Task InitializeAsync() => _database = FactIfPostgresAttribute.Obstacle is null ? await server.NewDatabaseAsync() : "";

    public Task DisposeAsync() => Task.CompletedTask;

    [TheoryIfPostgres]
    [MemberData(nameof(Names))]
    public Task It_conforms(string check) => RunAsync(check);

    protected override Task<ILeaseStore> CreateAsync(string clusterId) =>
        Task.FromResult<ILeaseStore>(new PostgreSqlLeaseStore(_database, clusterId, TimeSpan.FromSeconds(5), options: null, logger: null));

    protected override async Task<bool> DeleteRecordAsync(string clusterId)
    {
        await PostgresServer.RunAsync(_database, $"DELETE FROM ha_lease WHERE cluster = '{clusterId}' AND node = ''");
        return true;
    }
}
