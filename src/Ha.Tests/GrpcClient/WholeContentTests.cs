using Grpc.Core;
using Grpc.Net.Client.Configuration;
using Ha.Tests.Client;
using Ha.Tests.GrpcCalls;

namespace Ha.Tests.GrpcClient;

/// <summary>Streams that a server refuses in the middle, which the runtime sends again by itself.</summary>
public sealed class WholeContentTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_stream_of_the_client_is_not_sent_with_its_beginning_missing(bool goAway)
    {
        await using var server = Server(goAway);
        using var channel = Channel(server);
        using var call = channel.Client.ClientStream(LeaderChannel.InHalfAMinute());
        try
        {
            await call.RequestStream.WriteAsync(new Said { Text = "the beginning" });
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception error) when (error is RpcException or InvalidOperationException)
        {
            // It was refused before it was written to its end.
        }

        await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
        Assert.Empty(server.Answered);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_unary_call_is_sent_again_whole(bool goAway)
    {
        await using var server = Server(goAway);
        using var channel = Channel(server);

        // The server knows HTTP/2 only, so the answer is no good.
        await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync());
        Assert.Equal([0, 0, 0, 0, 3, 10, 1, (byte)'x'], Assert.Single(server.Answered));
        Assert.Equal(2, server.Requests);
    }

    [Fact]
    public async Task Also_when_it_was_refused_more_than_once()
    {
        await using var server = new RawHttp2Server(number => (number > 2 ? Ending.Answer : Ending.RefuseStream, 3));
        using var channel = Channel(server);
        await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync());
        Assert.Equal([0, 0, 0, 0, 3, 10, 1, (byte)'x'], Assert.Single(server.Answered));
        Assert.Equal(3, server.Requests);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_stream_that_was_kept_is_repeated_whole_since_nothing_was_executed(bool goAway)
    {
        await using var server = Server(goAway);
        using var channel = Channel(server);
        using var call = channel.Repeating.ClientStream(LeaderChannel.InHalfAMinute());
        await call.RequestStream.WriteAsync(new Said { Text = "x" });
        await call.RequestStream.CompleteAsync();
        await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
        Assert.Equal([0, 0, 0, 0, 3, 10, 1, (byte)'x'], Assert.Single(server.Answered));
    }

    private static RawHttp2Server Server(bool goAway) =>
        new(number => (number > 1 ? Ending.Answer : goAway ? Ending.GoAway : Ending.RefuseStream, 3));

    /// <summary>Without watches.</summary>
    private static LeaderChannel Channel(RawHttp2Server server) => new(
        new Uri(server.Url).Authority,
        transport: o => o.ServiceConfig = new ServiceConfig { LoadBalancingConfigs = { new RoundRobinConfig() } });
}
