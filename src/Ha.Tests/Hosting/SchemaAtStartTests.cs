using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Hosting;

/// <summary>The recipe of docs/leadership.md: the leader makes the schema before its first write.</summary>
public class SchemaAtStartTests
{
    [Fact]
    public async Task Three_nodes_that_start_together_make_the_schema_once_and_before_the_first_write()
    {
        var database = new Database();
        await using var cluster = new KestrelCluster(["a", "b", "c"], build: builder =>
        {
            builder.Services.AddSingleton(database);
            builder.Services.AddOptions<HaOptions>().Configure<Database>((options, shop) => options.RaiseFence = async (epoch, cancellationToken) =>
            {
                await shop.MigrateAsync(cancellationToken);
                return shop.RaiseFence(epoch);
            });
        });
        foreach (var node in cluster.Nodes)
        {
            node.App.MapPost("/orders", (Database shop) => shop.HasSchema ? Results.StatusCode(201) : Results.StatusCode(500));
        }

        // From the first moment on: what comes too early waits.
        await cluster.StartAsync();
        var statuses = await Task.WhenAll(cluster.Nodes.Select(node => OrderAsync(node)));

        Assert.Contains(HttpStatusCode.Created, statuses);
        Assert.DoesNotContain(HttpStatusCode.InternalServerError, statuses);
        Assert.Equal(1, database.Migrations);
        Assert.False(database.Overlapped);
    }

    private static async Task<HttpStatusCode> OrderAsync(KestrelCluster.Node node)
    {
        using var answer = await node.PostAsync("/orders");
        return answer.StatusCode;
    }

    private sealed class Database
    {
        private readonly Lock _lock = new();
        private long _fence;
        private int _migrating;

        public bool HasSchema { get; private set; }

        public int Migrations { get; private set; }

        public bool Overlapped { get; private set; }

        public async Task MigrateAsync(CancellationToken cancellationToken)
        {
            Overlapped |= Interlocked.Increment(ref _migrating) > 1;
            if (!HasSchema)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken);
                Migrations++;
                HasSchema = true;
            }

            Interlocked.Decrement(ref _migrating);
        }

        public long RaiseFence(long epoch)
        {
            lock (_lock)
            {
                var before = _fence;
                _fence = Math.Max(_fence, epoch);
                return before;
            }
        }
    }
}
