using System.Collections.Concurrent;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Grpc.Net.Client.Configuration;
using Ha.Grpc.Client;
using Ha.Grpc.Client.Balancing;
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
        Assert.True(made.EnableMultipleHttp2Connections);
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
        Assert.True(theirs.EnableMultipleHttp2Connections);
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
        var hedging = new ServiceConfig { MethodConfigs = { new MethodConfig { HedgingPolicy = new HedgingPolicy() } } };
        var retry = new ServiceConfig { MethodConfigs = { new MethodConfig(), new MethodConfig { RetryPolicy = new RetryPolicy() } } };
        Assert.All([hedging, retry], config => Assert.Contains(
            "has a RetryPolicy or HedgingPolicy",
            Assert.Throws<InvalidOperationException>(() => new GrpcChannelOptions { ServiceConfig = config }.UseHaLeader()).Message,
            StringComparison.Ordinal));
        var late = new GrpcChannelOptions().UseHaLeader();
        late.HttpHandler = new SocketsHttpHandler();
        Assert.Contains(
            "call UseHaLeader() last",
            Assert.Throws<InvalidOperationException>(() => GrpcChannel.ForAddress("ha:///a:1", late)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handler_in_use_that_cannot_be_set_any_more_is_refused()
    {
        using var sockets = new SocketsHttpHandler { UseProxy = false };
        using var others = new HttpMessageInvoker(sockets, disposeHandler: false);
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://127.0.0.1:1");
        await Assert.ThrowsAsync<HttpRequestException>(() => others.SendAsync(request, CancellationToken.None));
        Assert.Contains(
            "in use already",
            Assert.Throws<InvalidOperationException>(() => new GrpcChannelOptions { HttpHandler = sockets }.UseHaLeader()).Message,
            StringComparison.Ordinal);

        using var shared = new SocketsHttpHandler { UseProxy = false };
        Assert.Same(shared, Sockets(new GrpcChannelOptions { HttpHandler = shared }.UseHaLeader()));
        Assert.Same(shared, Sockets(new GrpcChannelOptions { HttpHandler = shared }.UseHaLeader()));
    }

    /// <summary>As service defaults put it on every client of the factory.</summary>
    [Fact]
    public async Task A_handler_that_repeats_has_no_call_executed_twice()
    {
        var executed = 0;
        await using var a = await LeaderNode.StartAsync("a", new LeaderNodeSetup
        {
            Method = (_, _, context) =>
            {
                Interlocked.Increment(ref executed);
                context.GetHttpContext().Abort();
                return Task.FromResult("a");
            },
        });
        a.Leadership.Lead();
        var services = new ServiceCollection();
        services.ConfigureHttpClientDefaults(client => client.AddStandardResilienceHandler(o => o.Retry.Delay = TimeSpan.FromMilliseconds(1)));
        services.AddGrpcClient<Calls.CallsClient>(o => o.Address = new Uri($"ha:///{a.Address}"))
            .AddHaLeader()
            .ConfigureChannel(o => o.Credentials = ChannelCredentials.Insecure);
        await using var provider = services.BuildServiceProvider();
        var client = provider.GetRequiredService<Calls.CallsClient>();
        var error = await Assert.ThrowsAsync<RpcException>(async () => await client.UnaryAsync(new Said(), LeaderChannel.InHalfAMinute()));
        Assert.Equal((1, null), (executed, error.IsSafeToRepeat()));
        Assert.Contains("sent the call again", error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_may_repeat_what_was_never_sent()
    {
        var sent = 0;
        using var connections = new Scripted(() => ++sent < 3
            ? throw new HttpRequestException(HttpRequestError.ConnectionError)
            : throw new HttpRequestException(HttpRequestError.ResponseEnded));
        using var invoker = new HttpMessageInvoker(new OnePassage(connections), disposeHandler: false);
        using var request = new HttpRequestMessage(HttpMethod.Post, "http://a");
        OnePassage.Begin(request);
        for (var i = 0; i < 3; i++)
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => invoker.SendAsync(request, CancellationToken.None));
        }

        await Assert.ThrowsAsync<IOException>(() => invoker.SendAsync(request, CancellationToken.None));
        Assert.Equal(3, sent);
    }

    [Fact]
    public async Task Each_attempt_has_metadata_of_its_own()
    {
        var seen = new ConcurrentQueue<string?>();
        await using var a = await LeaderNode.StartAsync("a", new LeaderNodeSetup
        {
            Health = HealthKind.None,
            Method = (_, _, context) =>
            {
                seen.Enqueue(context.RequestHeaders.GetValue("caller-user"));
                return seen.Count < 3 ? throw new RpcException(new Status(StatusCode.Unavailable, "x")).MarkRetriable() : Task.FromResult("a");
            },
        });
        var services = new ServiceCollection();
        services.AddTransient<Caller>();
        services.AddGrpcClient<Calls.CallsClient>(o => o.Address = new Uri($"ha:///{a.Address}"))
            .AddHaLeader()
            .AddInterceptor<Caller>()
            .ConfigureChannel(o => o.Credentials = ChannelCredentials.Insecure);
        await using var provider = services.BuildServiceProvider();
        await provider.GetRequiredService<Calls.CallsClient>().UnaryAsync(new Said(), LeaderChannel.InHalfAMinute().WithIdempotencyKey());
        Assert.Equal(["me", "me", "me"], seen);
    }

    /// <summary>Adds to the metadata that it finds.</summary>
    private sealed class Caller : Interceptor
    {
        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            context.Options.Headers!.Add("caller-user", "me");
            return continuation(request, context);
        }
    }

    private sealed class Scripted(Func<HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(answer());
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
