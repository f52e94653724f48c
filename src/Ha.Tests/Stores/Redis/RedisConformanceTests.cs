using Ha.Cli.Processes;
using Ha.Redis;
using Ha.Testing;
using Ha.Tests.Support;

namespace Ha.Tests.Stores.Redis;

public sealed class RedisConformanceTests(RedisServer server) : LeaseStoreConformance, IClassFixture<RedisServer>
{
    public static TheoryData<string> Names => [.. CheckNames];

    [TheoryIfRedis]
    [MemberData(nameof(Names))]
    public Task It_conforms(string check) => RunAsync(check);

    protected override Task<ILeaseStore> CreateAsync(string clusterId) =>
        Task.FromResult<ILeaseStore>(new RedisLeaseStore(server.Address, clusterId, TimeSpan.FromSeconds(5)));

    protected override async Task<bool> DeleteRecordAsync(string clusterId)
    {
        await server.RunAsync("DEL", $"ha:{{{clusterId}}}");
        return true;
    }
}

/// <summary>As a user who may do what the documentation lists and nothing else, on a server that is a cluster.</summary>
public sealed class RedisClusterConformanceTests(RedisClusterConformanceTests.Server server)
    : LeaseStoreConformance, IClassFixture<RedisClusterConformanceTests.Server>
{
    public static TheoryData<string> Names => [.. CheckNames];

    [TheoryIfRedis]
    [MemberData(nameof(Names))]
    public Task It_conforms(string check) => RunAsync(check);

    protected override Task<ILeaseStore> CreateAsync(string clusterId) =>
        Task.FromResult<ILeaseStore>(new RedisLeaseStore($"{server.Address},user=app,password=a/b,ssl=false", clusterId, TimeSpan.FromSeconds(5)));

    protected override async Task<bool> DeleteRecordAsync(string clusterId)
    {
        await server.RunAsync("DEL", $"ha:{{{clusterId}}}");
        return true;
    }

    public sealed class Server() : RedisServer("--cluster-enabled", "yes", "--cluster-port", $"{FreePorts.Find(1)[0]}"), IAsyncLifetime
    {
        async Task IAsyncLifetime.InitializeAsync()
        {
            await InitializeAsync();
            if (FactIfRedisAttribute.Obstacle is null)
            {
                await RunAsync("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
                await RunAsync(["ACL", "SETUSER", "app", "on", ">a/b", "resetkeys", "resetchannels", .. Rights()]);
                await Eventually.True(
                    async () => (await RunLinesAsync("CLUSTER", "INFO")).Contains("cluster_state:ok"), what: "the cluster serves its slots");
            }
        }

        /// <summary>From the page that people copy it from.</summary>
        private static string[] Rights()
        {
            var page = Repository.Read("docs/stores/redis.md");
            const string Begin = "ACL SETUSER app on >PASSWORD ";
            var begin = page.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
            return page[begin..page.IndexOf('\n', begin)].Replace("ha:{shop}", "ha:{conformance-", StringComparison.Ordinal).Split(' ');
        }
    }
}
