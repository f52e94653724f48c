using Ha.Endpoints;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Hosting;

/// <summary>What is wrong with a node's own URL is tried on real processes, by <c>SetupErrorTests</c>.</summary>
public class OwnAddressTests
{
    [Fact]
    public async Task A_node_that_reaches_itself_several_times_says_nothing()
    {
        using var logs = new RecordedLogs();
        await using var cluster = new KestrelCluster(["a"], build: builder => builder.Services.AddSingleton<ILoggerFactory>(logs));
        await cluster.StartAsync();
        var own = cluster.Nodes[0].App.Services.GetRequiredService<OwnAddress>();
        await Eventually.True(() => own.Arrivals == 3);
        await cluster.Nodes[0].StopAsync();
        Assert.DoesNotContain(logs.Entries, entry => entry.Id is >= 1424 and <= 1426);
    }

    [Fact]
    public async Task A_look_of_somebody_else_is_an_ordinary_request()
    {
        await using var cluster = new KestrelCluster(["a"]);
        await cluster.StartAsync();
        var node = cluster.Nodes[0];
        var own = node.App.Services.GetRequiredService<OwnAddress>();
        await Eventually.True(() => own.Arrivals == 3);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/_ha/healthz") { Headers = { { OwnAddress.Header, "guess" } } };
        using var answer = await node.Client.SendAsync(request);
        Assert.Equal("ok\n", await answer.Content.ReadAsStringAsync());
        Assert.Equal(3, own.Arrivals);
    }
}
