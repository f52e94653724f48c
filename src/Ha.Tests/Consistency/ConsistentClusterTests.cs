using System.Collections.Concurrent;
using Ha.Tests.Hosting;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Consistency;

/// <summary>The same by <c>AddHa()</c> alone, with a real election.</summary>
public sealed class ConsistentClusterTests
{
    private readonly ConcurrentDictionary<string, Data> _data = new(StringComparer.Ordinal);

    [Fact]
    public async Task What_was_written_on_one_node_is_waited_for_on_the_others_and_under_the_next_leader()
    {
        await using (var cluster = new KestrelCluster(["a", "b", "c"], [("BASE_FORWARD_MODE", "proxy")], Build))
        {
            await cluster.StartAsync();
            var position = "";
            await UnderOneLeaderAsync(cluster, async (leader, others) =>
            {
                var data = _data[others[1].Id].Replica;
                data.Reach(0);
                _data[leader.Id].Replica.Write(100);
                using var written = await others[0].PostAsync("/notes");
                position = Assert.Single(written.Headers.GetValues("X-Base-Position"));

                var looks = data.Looks;
                var waiting = ReadAsync(others[1], position);
                await Eventually.True(() => waiting.IsCompleted || data.Looks > looks + 1);
                Assert.False(waiting.IsCompleted);
                data.Reach(100);
                Assert.Equal(others[1].Id, await waiting);
            });

            await Eventually.True(() => cluster.Nodes.Any(node => node.Provider.IsLeader));
            await cluster.Leader.StopAsync();
            await UnderOneLeaderAsync(cluster, async (leader, others) =>
            {
                Assert.Equal(leader.Id, await ReadAsync(leader, position));
                _data[others[0].Id].Replica.Reach(99);
                await Eventually.True(async () => await ReadAsync(others[0], position) == leader.Id);
            });
        }

        Assert.All(_data.Values, data => Assert.True(data.IsDisposed));
    }

    [Fact]
    public async Task Without_HA_nothing_is_made()
    {
        await using var app = TestApp.Create(TestApp.Inactive, builder => builder.Services.AddHa(options =>
            options.Consistency = _ => throw new InvalidOperationException("nobody needs it")));
        await app.StartAsync();
        await app.StopAsync();
    }

    [Fact]
    public async Task What_cannot_be_made_stops_the_start()
    {
        (string, string?)[] settings = [.. TestApp.FixedLeader, ("BASE_CLUSTER_SECRET", "a-secret-for-the-tests-only")];
        await using var app = TestApp.Create(settings, builder => builder.Services.AddHa(
            options => options.Consistency = _ => throw new InvalidOperationException("no such connection string")));
        Assert.Equal("no such connection string", (await Assert.ThrowsAsync<InvalidOperationException>(() => app.StartAsync())).Message);
    }

    /// <summary>Once more where leadership has moved meanwhile: it may on a busy machine, and is not what this is about.</summary>
    private static async Task UnderOneLeaderAsync(KestrelCluster cluster, Func<KestrelCluster.Node, KestrelCluster.Node[], Task> look)
    {
        while (true)
        {
            var running = cluster.Nodes.Where(node => !node.Stopped).ToArray();
            await Eventually.True(() => LeaderOf(running) is not null, TimeSpan.FromMinutes(2));
            if (LeaderOf(running) is not { } leader)
            {
                continue;
            }

            var epoch = leader.Provider.Current.Epoch;
            try
            {
                await look(leader, [.. running.Where(node => node != leader)]);
                return;
            }
            catch (Exception failure) when (failure is Xunit.Sdk.XunitException or InvalidOperationException
                && (LeaderOf(running) != leader || leader.Provider.Current.Epoch != epoch))
            {
                // Looks again.
            }
        }
    }

    private static KestrelCluster.Node? LeaderOf(KestrelCluster.Node[] running) => running.FirstOrDefault(leader =>
        leader.Provider.IsLeader && running.All(node => node.Provider.Current.LeaderId == leader.Id));

    private void Build(WebApplicationBuilder builder) => builder.Services.AddHa(options =>
    {
        var id = options.NodeId;
        options.Consistency = _ => _data.GetOrAdd(id, static _ => new Data());
    });

    private static async Task<string> ReadAsync(KestrelCluster.Node node, string position)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/notes") { Headers = { { "X-Base-Position", position } } };
        using var answer = await node.Client.SendAsync(request);
        return await answer.Content.ReadAsStringAsync();
    }

    private sealed class Data : ReadConsistency, IDisposable
    {
        public Data()
            : this(new FakeReplica())
        {
        }

        private Data(FakeReplica replica)
            : base(replica.Consistency.ReadWritten, replica.Consistency.ReadReached)
        {
            Replica = replica;
            MaxWait = TimeSpan.FromSeconds(20);
        }

        public FakeReplica Replica { get; }

        public bool IsDisposed { get; private set; }

        public void Dispose() => IsDisposed = true;
    }
}
