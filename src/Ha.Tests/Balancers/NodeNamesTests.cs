using System.Net;
using Ha.Tests.Processes;
using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.Balancers;

/// <summary>HAProxy as containers use it: nodes have names, and addresses only once they run.</summary>
[Collection(ProcessTests.Name)]
[Trait("Category", "Balancers")]
public class NodeNamesTests(ITestOutputHelper output)
{
    [FactIfBalancers]
    public async Task Names_that_get_an_address_later_are_used_for_reads_for_the_leader_and_while_nobody_leads()
    {
        await using var nodes = await BrokenNodes.StartAsync();
        await using var dns = new TinyDns();
        string[] names = [.. nodes.Doors.Select((door, i) => $"node-{i}.test:{new Uri(door.Url).Port}")];
        var haproxy = Balancer.StartHAProxyWithNames(dns.EndPoint, names);
        try
        {
            using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false });
            await Eventually.True(async () => await StatusAsync(client, HttpMethod.Get, haproxy.Door) == 503, what: "it runs without nodes");
            dns.Address = IPAddress.Loopback;
            await haproxy.ServesAsync();
            // Until it has asked, HAProxy takes every node for the leader.
            await Eventually.True(() => nodes.LeaderProbes >= 12, what: "each node was asked");
            await Eventually.True(() => WriteArrivesAsync(client, nodes, haproxy.Door), what: "a node gets the write while nobody leads");
            nodes.HaveLeader = true;
            await Eventually.True(() => WriteArrivesAsync(client, nodes, haproxy.Door), what: "the leader gets the write");
        }
        finally
        {
            await haproxy.DisposeAsync();
            output.WriteLine(haproxy.Output);
        }
    }

    private static async Task<bool> WriteArrivesAsync(HttpClient client, BrokenNodes nodes, Door door)
    {
        var before = nodes.Writes.Count;
        await StatusAsync(client, HttpMethod.Put, door);
        return nodes.Writes.Count > before;
    }

    /// <summary>Null when the connection broke.</summary>
    private static async Task<int?> StatusAsync(HttpClient client, HttpMethod method, Door door)
    {
        using var request = new HttpRequestMessage(method, door.Url + "/whoami");
        request.Content = method == HttpMethod.Put ? new StringContent("x") : null;
        try
        {
            using var answer = await client.SendAsync(request);
            return (int)answer.StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
