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
            await cluster.HasLeaderAsync("a");
            _data["a"].Replica.Write(100);
            using var written = await cluster.Nodes[1].PostAsync("/notes");
            var position = written.Headers.GetValues("X-Base-Position").Single();

            var waiting = ReadAsync(cluster.Nodes[2], position);
            await Eventually.True(() => _data["c"].Replica.Looks > 1);
            Assert.False(waiting.IsCompleted);
            _data["c"].Replica.Reach(100);
            Assert.Equal("c", await waiting);

            await cluster.Nodes[0].StopAsync();
            await cluster.HasLeaderAsync("b");
            Assert.Equal("b", await ReadAsync(cluster.Nodes[1], position));
            _data["c"].Replica.Reach(99);
            await Eventually.True(async () => await ReadAsync(cluster.Nodes[2], position) is "b");
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
