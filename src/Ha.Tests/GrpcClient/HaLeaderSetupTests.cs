using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Configuration;
using Ha.Grpc.Client;
using Ha.Tests.GrpcCalls;
using Ha.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Ha.Tests.GrpcClient;

/// <summary>How the policy comes into a channel, and what is refused on the way.</summary>
public sealed class HaLeaderSetupTests
{
    [Fact]
    public async Task One_line_for_clients_of_the_factory_whatever_the_order_and_the_end_of_the_services_ends_the_watches()
    {
        var refusals = 1;
        await using var a = await LeaderNode.StartAsync("a", new LeaderNodeSetup
        {
            Method = (_, _, _) => Interlocked.Decrement(ref refusals) >= 0
                ? throw new RpcException(new Status(StatusCode.ResourceExhausted, "later")).MarkRetriable()
                : Task.FromResult("a"),
        });
        await using var b = await LeaderNode.StartAsync("b");
        a.Leadership.Lead();
        var services = new ServiceCollection();
        services.AddGrpcClient<Calls.CallsClient>(o => o.Address = new Uri($"ha:///{b.Address},{a.Address}"))
            .AddHaLeader()
            .AddHaLeader(o => o.RepeatWithin = TimeSpan.FromSeconds(10))
            .ConfigureChannel(o => o.Credentials = ChannelCredentials.Insecure)
            .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { UseProxy = false, EnableMultipleHttp2Connections = true });
        await using (var provider = services.BuildServiceProvider())
        {
            var client = provider.GetRequiredService<Calls.CallsClient>();
            Assert.Equal("a", (await client.UnaryAsync(new Said(), LeaderChannel.InHalfAMinute())).Text);
            await Eventually.True(() => b.Open == 1);
            Assert.Equal((1, 1), (a.Accepted, b.Accepted));
            a.Leadership.LoseLeader();
        }

        // Nobody watches any more, so nobody comes back either.
        await a.KillAsync();
        await b.KillAsync();
        Assert.Equal((1, 1), (a.Accepted, b.Accepted));
    }

    [Fact]
    public void A_builder_that_is_no_gRPC_clients_is_refused() =>
        Assert.Contains(
            "gRPC client",
            Assert.Throws<InvalidOperationException>(() => new ServiceCollection().AddHttpClient("x").AddHaLeader()).Message,
            StringComparison.Ordinal);

    [Fact]
    public async Task A_bad_address_is_refused_when_the_client_is_created()
    {
        var services = new ServiceCollection();
        services.AddGrpcClient<Calls.CallsClient>(o => o.Address = new Uri("ha:///a:x")).AddHaLeader();
        await using var provider = services.BuildServiceProvider();
        Assert.Equal(
            "The address 'ha:///a:x' is malformed: 'a:x' has no port between 1 and 65535 behind its colon.",
            Assert.Throws<InvalidOperationException>(provider.GetRequiredService<Calls.CallsClient>).Message);
    }

    public static TheoryData<Action<HaLeaderOptions>, string> Faults { get; } = new()
    {
        { o => o.HealthService = "", "HaLeaderOptions.HealthService is empty" },
        { o => o.RepeatWithin = TimeSpan.FromSeconds(-1), "HaLeaderOptions.RepeatWithin (-00:00:01) must be between 0 and 1 day." },
        { o => o.MaxKeptStreamBytes = -1, "HaLeaderOptions.MaxKeptStreamBytes (-1) must be" },
        { o => o.ResolveInterval = TimeSpan.Zero, "HaLeaderOptions.ResolveInterval (00:00:00) must be" },
        { o => o.IdempotentMethods.Add("Find"), "HaLeaderOptions.IdempotentMethods holds 'Find'" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task So_are_options_out_of_range(Action<HaLeaderOptions> configure, string message)
    {
        var refused = Assert.Throws<InvalidOperationException>(() => new GrpcChannelOptions().UseHaLeader(configure));
        Assert.StartsWith(message, refused.Message, StringComparison.Ordinal);
        var services = new ServiceCollection();
        services.AddGrpcClient<Calls.CallsClient>(o => o.Address = new Uri("ha:///a:1")).AddHaLeader(configure);
        await using var provider = services.BuildServiceProvider();
        var invalid = Assert.Throws<OptionsValidationException>(provider.GetRequiredService<Calls.CallsClient>);
        Assert.StartsWith(message, invalid.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_channel_gets_what_it_lacks_and_keeps_what_it_has()
    {
        var empty = new GrpcChannelOptions().UseHaLeader();
        Assert.Same(ChannelCredentials.SecureSsl, empty.Credentials);
        Assert.Equal("ha_leader", Assert.Single(empty.ServiceConfig!.LoadBalancingConfigs).PolicyName);
        var made = Sockets(empty);
        Assert.All([made.ConnectTimeout, made.KeepAlivePingDelay, made.KeepAlivePingTimeout], time => Assert.Equal(2, time.TotalSeconds));

        var theirs = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(9), KeepAlivePingDelay = TimeSpan.FromSeconds(8) };
        var full = new GrpcChannelOptions
        {
            HttpHandler = theirs,
            Credentials = ChannelCredentials.Insecure,
            ServiceConfig = new ServiceConfig { LoadBalancingConfigs = { new RoundRobinConfig() } },
        }.UseHaLeader();
        Assert.Same(theirs, Sockets(full));
        Assert.Equal((9, 8), (theirs.ConnectTimeout.TotalSeconds, theirs.KeepAlivePingDelay.TotalSeconds));
        Assert.Same(ChannelCredentials.Insecure, full.Credentials);
        Assert.Equal("round_robin", Assert.Single(full.ServiceConfig!.LoadBalancingConfigs).PolicyName);
    }

    [Fact]
    public async Task Another_policy_over_the_same_list_reaches_every_node()
    {
        var plain = new LeaderNodeSetup { Health = HealthKind.None };
        await using var a = await LeaderNode.StartAsync("a", plain);
        await using var b = await LeaderNode.StartAsync("b", plain);
        var config = new ServiceConfig { LoadBalancingConfigs = { new RoundRobinConfig() } };
        using var channel = new LeaderChannel($"{a.Address},{b.Address}", transport: o => o.ServiceConfig = config);
        await Eventually.True(async () => await channel.CallAsync() != await channel.CallAsync());
    }

    [Fact]
    public void What_cannot_work_is_refused()
    {
        using var http = new HttpClient();
        Assert.Contains(
            "set HttpHandler to a SocketsHttpHandler",
            Assert.Throws<InvalidOperationException>(() => new GrpcChannelOptions { HttpClient = http }.UseHaLeader()).Message,
            StringComparison.Ordinal);
        var late = new GrpcChannelOptions().UseHaLeader();
        late.HttpHandler = new SocketsHttpHandler();
        Assert.Contains(
            "call UseHaLeader() last",
            Assert.Throws<InvalidOperationException>(() => GrpcChannel.ForAddress("ha:///a:1", late)).Message,
            StringComparison.Ordinal);
    }

    private static SocketsHttpHandler Sockets(GrpcChannelOptions options)
    {
        var handler = options.HttpHandler;
        while (handler is DelegatingHandler outer)
        {
            handler = outer.InnerHandler;
        }

        return Assert.IsType<SocketsHttpHandler>(handler);
    }
}
