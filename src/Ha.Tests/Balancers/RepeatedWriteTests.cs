using Ha.Tests.Processes;
using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.Balancers;

[Collection(ProcessTests.Name)]
[Trait("Category", "Balancers")]
public class RepeatedWriteTests(ITestOutputHelper output)
{
    [FactIfBalancers]
    public async Task A_write_whose_connection_breaks_is_not_sent_again()
    {
        await using var nodes = await BrokenNodes.StartAsync();
        await using var balancers = await AllBalancers.StartAsync(nodes.Doors, output);
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        foreach (var haveLeader in (bool[])[true, false])
        {
            nodes.HaveLeader = haveLeader;
            // Two of each: the second meets a connection that was used before, where there is one.
            foreach (var method in (string[])["POST", "PUT", "PATCH", "DELETE", "POST", "PUT", "PATCH", "DELETE"])
            {
                foreach (var door in balancers.Doors)
                {
                    // A balancer may take nodes under which connections break out for a while.
                    await Eventually.True(() => ReachesANodeAsync(client, nodes, door, method), what: $"{door.Id} sends a {method}");
                }
            }
        }
    }

    private static async Task<bool> ReachesANodeAsync(HttpClient client, BrokenNodes nodes, Door door, string method)
    {
        // Without a body this client itself might send it again.
        using var request = new HttpRequestMessage(new HttpMethod(method), $"{door.Url}/{Guid.NewGuid()}") { Content = new StringContent("x") };
        try
        {
            using var answer = await client.SendAsync(request);
            // Caddy says 503 where nobody leads, without the mark that would let a client send it again.
            Assert.True((int)answer.StatusCode is 502 or 503 && !answer.Headers.Contains("X-Base-Not-Executed"), $"{door.Id} answered {method} with {answer}");
        }
        catch (HttpRequestException)
        {
            // HAProxy may close the client's connection instead.
        }

        var sent = nodes.Writes.Count(write => write == $"{method} {request.RequestUri!.AbsolutePath}");
        Assert.True(sent <= 1, $"{door.Id} sent one {method} {sent} times (a leader: {nodes.HaveLeader})");
        return sent == 1;
    }
}
