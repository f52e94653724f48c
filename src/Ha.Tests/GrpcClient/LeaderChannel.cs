using Grpc.Core;
using Grpc.Net.Client;
using Ha.Grpc.Client;
using Ha.Tests.GrpcCalls;
using Ha.Tests.Support;

namespace Ha.Tests.GrpcClient;

/// <summary>A channel to some nodes without TLS, with the policy.</summary>
internal sealed class LeaderChannel : IDisposable
{
    private readonly GrpcChannel _channel;

    public LeaderChannel(string list, Action<HaLeaderOptions>? configure = null, Action<GrpcChannelOptions>? transport = null)
    {
        var options = new GrpcChannelOptions { Credentials = ChannelCredentials.Insecure };
        transport?.Invoke(options);
        _channel = GrpcChannel.ForAddress($"ha:///{list}", options.UseHaLeader(configure));
        Client = new Calls.CallsClient(_channel);
        Repeating = new Calls.CallsClient(_channel.WithHaRepeats(configure));
    }

    public LeaderChannel(params LeaderNode[] nodes)
        : this(string.Join(',', nodes.Select(node => node.Address)))
    {
    }

    /// <summary>Without repeats.</summary>
    public Calls.CallsClient Client { get; }

    /// <summary>With repeats.</summary>
    public Calls.CallsClient Repeating { get; }

    /// <summary>The name of the node that answers.</summary>
    /// <param name="wait">True: wait-for-ready.</param>
    public async Task<string> CallAsync(bool wait = true) =>
        (await Client.UnaryAsync(new Said { Text = "x" }, InHalfAMinute(wait))).Text;

    /// <summary>Calls until a node of this name answers. What is on its way to another one in the meantime may fail.</summary>
    public Task MovesToAsync(string name) => Eventually.True(
        async () =>
        {
            try
            {
                return await CallAsync() == name;
            }
            catch (RpcException)
            {
                return false;
            }
        },
        what: $"calls go to {name}");

    /// <summary>Calls until one fails.</summary>
    /// <param name="why">What its status must say.</param>
    public async Task<RpcException> FailsAsync(string why = "")
    {
        RpcException? last = null;
        await Eventually.True(
            async () =>
            {
                last = await Record.ExceptionAsync(() => CallAsync(wait: false)) as RpcException;
                return last?.Status.Detail.Contains(why, StringComparison.Ordinal) == true;
            },
            what: $"calls fail {why}");
        return last!;
    }

    public static CallOptions InHalfAMinute(bool wait = false) =>
        new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(30)).WithWaitForReady(wait);

    public void Dispose() => _channel.Dispose();
}
