namespace Ha.Tests.Leadership;

public class ClusterViewTests
{
    [Fact]
    public async Task Members_that_were_never_heard_come_last_in_the_order_of_succession()
    {
        var options = new HaOptions { NodeId = "b", LocalTarget = "http://b", Insecure = true };
        options.Peers.Add("http://c");
        options.Peers.Add("http://a");
        await using var node = new LuxLeader(options, new Silent());

        Assert.Equal(
            [(0, "b", "http://b"), (1, "", "http://a"), (2, "", "http://c")],
            node.Election.View().Members.Select(member => (member.Ordinal, member.NodeId, member.Target)));
    }

    private sealed class Silent : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            throw new InvalidOperationException("never");
        }
    }
}
