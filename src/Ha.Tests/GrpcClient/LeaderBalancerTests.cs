using System.Collections.Concurrent;
using System.Net;
using System.Reflection;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Balancer;
using Grpc.Net.Client.Configuration;
using Ha.Cli.Processes;
using Ha.Grpc.Client;
using Ha.Grpc.Client.Balancing;
using Ha.Tests.GrpcCalls;
using Ha.Tests.Http;
using Ha.Tests.OnTheWire;
using Ha.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace Ha.Tests.GrpcClient;

/// <summary>Where the calls of a channel with <c>ha_leader</c> go.</summary>
public sealed class LeaderBalancerTests
{
    [Fact]
    public async Task Calls_go_to_the_leader_over_the_one_connection_that_its_watch_uses()
    {
        await using var a = await LeaderNode.StartAsync("a");
        await using var b = await LeaderNode.StartAsync("b");
        b.Leadership.Lead();
        using var channel = new LeaderChannel(a, b);
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal("b", await channel.CallAsync(wait: false));
        }

        // The other one is connected and watched as well.
        await Eventually.True(() => a.Accepted == 1);
        Assert.Equal((1, 1, 0), (b.Accepted, b.Open, a.Calls.Count));
        Assert.All(b.Calls, authority => Assert.Equal(b.Address, authority));

        b.Leadership.LoseLeader();
        a.Leadership.Lead(epoch: 2);
        await channel.MovesToAsync("a");
        Assert.Equal((1, 1), (a.Accepted, b.Accepted));
    }

    [Fact]
    public async Task Calls_that_wait_get_through_a_kill_and_the_dead_node_is_watched_again_when_it_is_back()
    {
        await using var a = await LeaderNode.StartAsync("a");
        var b = await LeaderNode.StartAsync("b");
        b.Leadership.Lead();

        // The pauses of the library's own are no matter.
        using var channel = new LeaderChannel(
            $"{a.Address},{b.Address}", transport: o => o.InitialReconnectBackoff = TimeSpan.FromMinutes(1));
        Assert.Equal("b", await channel.CallAsync());
        var port = b.Port;
        await b.DisposeAsync();

        // The library's pause has begun.
        await Eventually.True(async () =>
            (await Record.ExceptionAsync(() => channel.CallAsync(wait: false)))?.Message.Contains("Connection refused", StringComparison.Ordinal) == true);
        var waiting = channel.Repeating.UnaryAsync(new Said(), LeaderChannel.InHalfAMinute(wait: true).WithIdempotencyKey()).ResponseAsync;
        Assert.False(waiting.IsCompleted);
        a.Leadership.Lead(epoch: 2);
        Assert.Equal("a", (await waiting).Text);

        await using var again = await LeaderNode.StartAsync("b", new LeaderNodeSetup { Port = port });
        await Eventually.True(() => again.Open == 1);
        a.Leadership.LoseLeader();
        again.Leadership.Lead(epoch: 3);
        await channel.MovesToAsync("b");
    }

    [Fact]
    public async Task A_lease_that_lapses_without_a_word_ends_the_picks()
    {
        await using var a = await LeaderNode.StartAsync("a");
        a.Leadership.Lead(lease: TimeSpan.FromSeconds(1));
        using var channel = new LeaderChannel(a);
        Assert.Equal("a", await channel.CallAsync());

        // A call that was under way may end with the server's own word.
        var error = await channel.FailsAsync("no leader: ");
        Assert.Equal(StatusCode.Unavailable, error.StatusCode);
        Assert.True(error.IsSafeToRepeat());
    }

    [Fact]
    public async Task While_nobody_leads_calls_wait_or_fail_or_are_repeated_as_their_caller_wants()
    {
        await using var a = await LeaderNode.StartAsync("a");
        using var channel = new LeaderChannel($"{a.Address},127.0.0.1:1");
        var error = await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(wait: false));
        Assert.Equal((StatusCode.Unavailable, true), (error.StatusCode, error.IsSafeToRepeat()));
        Assert.Equal($"no leader: {a.Address} does not lead; 127.0.0.1:1 Connection refused", error.Status.Detail);

        var waiting = channel.CallAsync();
        var repeated = channel.Repeating.UnaryAsync(new Said(), LeaderChannel.InHalfAMinute()).ResponseAsync;
        a.Leadership.Lead();
        Assert.Equal("a", await waiting);
        Assert.Equal("a", (await repeated).Text);
        Assert.Equal(2, a.Calls.Count);
    }

    [Fact]
    public async Task Of_two_that_serve_the_one_that_said_so_last_counts()
    {
        await using var a = await LeaderNode.StartAsync("a");
        await using var b = await LeaderNode.StartAsync("b");
        a.Leadership.Lead();
        using var channel = new LeaderChannel(a, b);
        Assert.Equal("a", await channel.CallAsync());
        b.Leadership.Lead(epoch: 2);
        await channel.MovesToAsync("b");
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal("b", await channel.CallAsync());
        }

        b.Leadership.LoseLeader();
        await channel.MovesToAsync("a");
    }

    [Fact]
    public async Task A_call_that_the_old_leader_refuses_is_repeated_until_the_watch_of_the_new_one_says_so()
    {
        await using var b = await LeaderNode.StartAsync("b", new LeaderNodeSetup { Health = HealthKind.Set });
        b.Says(ServingStatus.NotServing);
        var refused = new TaskCompletionSource();
        await using var a = await LeaderNode.StartAsync("a", new LeaderNodeSetup
        {
            Method = (_, _, _) =>
            {
                refused.TrySetResult();
                throw new NotLeaderException { LeaderUrl = $"http://{b.Address}", Epoch = 2 };
            },
        });
        a.Leadership.Lead();
        using var channel = new LeaderChannel(a, b);
        var call = channel.Repeating.UnaryAsync(new Said(), LeaderChannel.InHalfAMinute()).ResponseAsync;
        await refused.Task.WaitAsync(TimeSpan.FromSeconds(30));
        b.Says(ServingStatus.Serving);
        Assert.Equal("b", (await call).Text);
    }

    [Fact]
    public async Task Servers_without_health_take_turns_until_one_leads()
    {
        await using var a = await LeaderNode.StartAsync("a", new LeaderNodeSetup { Health = HealthKind.None });
        var b = await LeaderNode.StartAsync("b", new LeaderNodeSetup { Health = HealthKind.None });
        using var channel = new LeaderChannel(a, b);
        var first = await channel.CallAsync();
        Assert.Equal(first == "a" ? "b" : "a", await channel.CallAsync());
        Assert.Equal(first, await channel.CallAsync());
        var port = b.Port;
        await b.DisposeAsync();
        await using var again = await LeaderNode.StartAsync("b", new LeaderNodeSetup { Health = HealthKind.Set, Port = port });
        again.Says(ServingStatus.Serving);
        await Eventually.True(async () => await channel.CallAsync() == "b" && await channel.CallAsync() == "b");
    }

    [Fact]
    public async Task A_server_without_health_stands_in_for_no_leader_whose_health_is_known()
    {
        await using var old = await LeaderNode.StartAsync("old", new LeaderNodeSetup { Health = HealthKind.None });
        var a = await LeaderNode.StartAsync("a");
        a.Leadership.Lead();
        using var channel = new LeaderChannel(a, old);
        Assert.Equal("a", await channel.CallAsync());
        a.Leadership.LoseLeader();
        await channel.FailsAsync($"no leader: {a.Address} does not lead; {old.Address} has no health");

        // Nor while it is away.
        var port = a.Port;
        await a.DisposeAsync();
        var waiting = channel.CallAsync();
        await channel.FailsAsync("Connection refused");
        await using var again = await LeaderNode.StartAsync("a", new LeaderNodeSetup { Port = port });
        again.Leadership.Lead(epoch: 2);
        Assert.Equal("a", await waiting);
        Assert.Empty(old.Calls);
    }

    [Fact]
    public async Task A_name_that_no_health_knows_is_named_and_gets_no_calls()
    {
        await using var a = await LeaderNode.StartAsync("a");
        a.Leadership.Lead();
        var name = new string('x', 90);
        using var channel = new LeaderChannel(a.Address, o => o.HealthService = name);
        var error = await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(wait: false));
        Assert.Equal($"no leader: {a.Address} does not know the name '{name[..75]}…", error.Status.Detail);
        Assert.Empty(a.Calls);
    }

    [Fact]
    public async Task A_watch_that_answers_and_ends_at_once_is_opened_ever_more_slowly_and_its_word_counts()
    {
        await using var server = await OddServer.StartAsync();
        server.EndsAfterOneWord = true;
        using var log = new CollectedLog();
        using var channel = new LeaderChannel(server.Address, transport: o => o.LoggerFactory = log);
        await channel.CallAsync();
        var until = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(until) < TimeSpan.FromSeconds(2))
        {
            await channel.CallAsync(wait: false);
        }

        Assert.InRange(server.Watches, 2, 10);
        Assert.Single(log.Lines, line => line.StartsWith("Calls go to", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_watch_that_is_cut_takes_no_leader_away_and_one_that_cannot_be_opened_again_does()
    {
        await using var server = await OddServer.StartAsync();
        using var channel = new LeaderChannel(server.Address);
        await channel.CallAsync();
        server.Cut();
        await Eventually.True(async () =>
        {
            await channel.CallAsync(wait: false);
            return server.Watches == 2;
        });
        server.IsBroken = true;
        server.Cut();
        await channel.FailsAsync();
    }

    [Fact]
    public async Task A_watch_that_is_opened_again_and_stays_silent_ends_the_word_of_the_one_before()
    {
        await using var server = await OddServer.StartAsync();
        using var channel = new LeaderChannel(server.Address);
        await channel.CallAsync();
        server.IsSilent = true;
        server.Cut();
        await channel.FailsAsync("does not answer its watch");
    }

    [Fact]
    public async Task A_node_whose_proxy_did_not_find_it_for_a_moment_is_watched_again_over_the_same_connection()
    {
        await using var a = await OddServer.StartAsync();
        await using var b = await OddServer.StartAsync();
        (a.IsAway, b.IsAway, b.Status) = (true, true, ServingStatus.NotServing);
        using var channel = new LeaderChannel($"{a.Address},{b.Address}");
        Assert.Equal(StatusCode.Unimplemented, (await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync())).StatusCode);
        await Eventually.True(() => a.NotFound > 0 && b.NotFound > 0);
        a.IsAway = b.IsAway = false;
        await Eventually.True(async () =>
        {
            var before = a.Calls;
            for (var i = 0; i < 4; i++)
            {
                await channel.CallAsync();
            }

            return a.Calls - before == 4 && (a.Watches, b.Watches) == (1, 1);
        });
    }

    [Fact]
    public async Task Calls_that_wait_end_with_the_services_and_none_is_worth_a_repeat()
    {
        await using var a = await LeaderNode.StartAsync("a");
        using var log = new CollectedLog();
        var services = new ServiceCollection();
        services.AddSingleton<ILoggerFactory>(log);
        services.AddGrpcClient<Calls.CallsClient>(o => o.Address = new Uri($"ha:///{a.Address}"))
            .AddHaLeader(static o => o.RepeatWithin = TimeSpan.FromSeconds(1))
            .ConfigureChannel(o => o.Credentials = ChannelCredentials.Insecure);
        Calls.CallsClient client;
        Task<Said> waiting;
        await using (var provider = services.BuildServiceProvider())
        {
            client = provider.GetRequiredService<Calls.CallsClient>();
            await Assert.ThrowsAsync<RpcException>(
                async () => await client.UnaryAsync(new Said(), new CallOptions()));
            waiting = client.UnaryAsync(new Said(), new CallOptions().WithWaitForReady()).ResponseAsync;
        }

        var error = await Assert.ThrowsAsync<RpcException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Equal((StatusCode.Cancelled, null), (error.StatusCode, error.IsSafeToRepeat()));
        Assert.Equal("The channel has ended.", error.Status.Detail);
        var later = client.UnaryAsync(new Said(), LeaderChannel.InHalfAMinute().WithIdempotencyKey()).ResponseAsync;
        error = await Assert.ThrowsAsync<RpcException>(() => later.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Equal((StatusCode.Cancelled, null), (error.StatusCode, error.IsSafeToRepeat()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_fails_in_a_log_or_in_the_watching_itself_ends_no_watch(bool inLog)
    {
        await using var a = await LeaderNode.StartAsync("a");
        a.Leadership.Lead();
        using var log = new CollectedLog { Fails = inLog };
        var failures = inLog ? 1 : 0;
        using var channel = new LeaderChannel(
            a.Address,
            o => o.Jitter = () => Interlocked.Increment(ref failures) == 1 ? throw new IOException("on purpose") : 0,
            o => o.LoggerFactory = log);
        Assert.Equal("a", await channel.CallAsync().WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Contains(log.Lines, line => line.StartsWith(inLog ? "Calls go to" : "The watch of", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_channel_that_fails_when_it_is_told_where_calls_go_is_told_again()
    {
        var services = new ServiceCollection();
        services.AddSingleton<LoadBalancerFactory>(new FailingOnce());
        await using var provider = services.BuildServiceProvider();
        using var log = new CollectedLog();
        using var channel = new LeaderChannel(
            "away.test:1",
            o => o.Lookup = (_, _) => throw new IOException("no such name"),
            o =>
            {
                (o.ServiceProvider, o.LoggerFactory) = (provider, log);
                o.ServiceConfig = new ServiceConfig { LoadBalancingConfigs = { new LoadBalancingConfig("failing_once") } };
            });
        var error = await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(wait: false).WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.Equal("no leader: The name 'away.test' cannot be resolved: no such name", error.Status.Detail);
        Assert.StartsWith("Telling the channel", Assert.Single(log.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_says_it_is_being_made_while_nobody_makes_it_is_opened_again()
    {
        // What the library does when it is asked to connect in the moment in which its last attempt ends.
        var port = FreePorts.Find(1).Single();
        var between = new Between((subchannel, state, opened) =>
        {
            if (state == ConnectivityState.Idle && opened == 1)
            {
                subchannel.RequestConnection();
                SpinWait.SpinUntil(() => ThreadPool.PendingWorkItemCount == 0, TimeSpan.FromSeconds(1));
            }
        });
        using var channel = between.Channel($"127.0.0.1:{port}", connectTimeout: TimeSpan.FromMilliseconds(200));
        var call = channel.CallAsync();
        await Eventually.True(() => between.Opened.Count == 2);
        Assert.Contains("State: Connecting", between.WasLeft, StringComparison.Ordinal);
        await using var a = await LeaderNode.StartAsync("a", new LeaderNodeSetup { Port = port });
        a.Leadership.Lead();
        Assert.Equal("a", await call);
    }

    [Fact]
    public async Task A_connection_that_is_lost_before_its_balancer_hears_of_it_is_made_again()
    {
        await using var a = await LeaderNode.StartAsync("a");
        a.Leadership.Lead();
        var lost = false;
        var between = new Between((subchannel, state, _) =>
        {
            if (state == ConnectivityState.Ready && !lost)
            {
                lost = true;
                Between.Disconnect(subchannel);
            }
        });
        using var channel = between.Channel(a.Address, connectTimeout: TimeSpan.FromSeconds(2));
        Assert.Equal("a", await channel.CallAsync());
        Assert.True(lost);
    }

    [Fact]
    public async Task A_connection_that_is_lost_while_its_watch_lives_is_made_again_and_watched_anew()
    {
        await using var a = await LeaderNode.StartAsync("a");
        a.Leadership.Lead();
        var between = new Between((_, _, _) => { });
        using var channel = between.Channel(a.Address, connectTimeout: TimeSpan.FromSeconds(2));
        Assert.Equal("a", await channel.CallAsync());
        Between.Disconnect(between.Opened.Single());
        Assert.Equal("a", await channel.CallAsync());
    }

    [Fact]
    public async Task An_address_that_answers_nothing_holds_nobody_up()
    {
        using var hole = await BlackHole.OpenAsync(IPAddress.Loopback);
        await using var a = await LeaderNode.StartAsync("a");
        a.Leadership.Lead();
        using var channel = new LeaderChannel($"127.0.0.1:{hole.Address.Port},{a.Address}");
        var call = channel.CallAsync(wait: false);
        Assert.Same(call, await Task.WhenAny(call, Task.Delay(TimeSpan.FromSeconds(1.9))));
        Assert.Equal("a", await call);
    }

    [Fact]
    public async Task A_connection_that_falls_silent_is_found_by_pings()
    {
        await using var b = await LeaderNode.StartAsync("b");
        var arrived = new TaskCompletionSource();
        await using var a = await LeaderNode.StartAsync("a", new LeaderNodeSetup
        {
            Method = async (_, _, context) =>
            {
                arrived.SetResult();
                await Task.Delay(Timeout.Infinite, context.CancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                return "a";
            },
        });
        a.Leadership.Lead();
        var silence = new Silence();
        await using var network = new Relay(a.Port, _ => (silence, silence));
        using var channel = new LeaderChannel(
            $"127.0.0.1:{network.Port},{b.Address}",
            transport: o => o.HttpHandler = new SocketsHttpHandler
            {
                UseProxy = false,
                KeepAlivePingDelay = TimeSpan.FromSeconds(1),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(1),
            });
        var call = channel.CallAsync();
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(30));
        silence.Begin();
        b.Leadership.Lead(epoch: 2);
        await channel.MovesToAsync("b");

        // The call that is under way there ends, and nobody knows what came of it.
        Assert.Null((await Assert.ThrowsAsync<RpcException>(() => call)).IsSafeToRepeat());
    }

    [Fact]
    public async Task A_channel_that_is_disposed_leaves_nothing_behind()
    {
        await using var a = await LeaderNode.StartAsync("a");
        await using var b = await LeaderNode.StartAsync("b");
        a.Leadership.Lead();
        using (var channel = new LeaderChannel($"{a.Address},{b.Address},127.0.0.1:1"))
        {
            Assert.Equal("a", await channel.CallAsync());
            await Eventually.True(() => b.Open == 1);
        }

        await Eventually.True(() => a.Open + b.Open == 0);
        Assert.Equal((1, 1), (a.Accepted, b.Accepted));
    }

    /// <summary>The balancer, on a channel that takes its first word badly.</summary>
    private sealed class FailingOnce : LoadBalancerFactory, IChannelControlHelper
    {
        private IChannelControlHelper? _channel;
        private int _times;

        public override string Name => "failing_once";

        public override LoadBalancer Create(LoadBalancerOptions options)
        {
            _channel = options.Controller;
            var log = new ClientLog(options.LoggerFactory.CreateLogger("Ha.Grpc.Client"));
            return new LeaderBalancer(
                this, new HaLeaderOptions(), new HttpMessageInvoker(new SocketsHttpHandler()), TimeSpan.FromSeconds(2), log, CancellationToken.None);
        }

        public void UpdateState(BalancerState state)
        {
            if (Interlocked.Increment(ref _times) == 1)
            {
                throw new InvalidOperationException("on purpose");
            }

            _channel!.UpdateState(state);
        }

        public Subchannel CreateSubchannel(SubchannelOptions options) => throw new NotSupportedException();

        public void RefreshResolver()
        {
        }
    }

    /// <summary>The balancer, on a channel whose connections' states are seen by <paramref name="first"/> before it hears of them.</summary>
    /// <param name="first">Also gets how many subchannels there were so far.</param>
    private sealed class Between(Action<Subchannel, ConnectivityState, int> first) : LoadBalancerFactory, IChannelControlHelper
    {
        private LoadBalancerOptions? _channel;
        private GrpcChannelOptions? _transport;

        public override string Name => "between";

        public ConcurrentQueue<Subchannel> Opened { get; } = [];

        /// <summary>What the first subchannel said of itself when the second one was asked for.</summary>
        public string? WasLeft { get; private set; }

        /// <summary>As the transport does when its last stream ends; no public name of it.</summary>
        public static void Disconnect(Subchannel subchannel)
        {
            const BindingFlags inside = BindingFlags.Instance | BindingFlags.NonPublic;
            var transport = typeof(Subchannel).GetField("_transport", inside)!.GetValue(subchannel)!;
            transport.GetType().GetMethod("Disconnect")!.Invoke(transport, null);
        }

        public LeaderChannel Channel(string list, TimeSpan connectTimeout) => new(list, transport: options =>
        {
            _transport = options;
            options.HttpHandler = new SocketsHttpHandler { UseProxy = false, ConnectTimeout = connectTimeout };
            options.ServiceProvider = new ServiceCollection().AddSingleton<LoadBalancerFactory>(this).BuildServiceProvider();
            options.ServiceConfig = new ServiceConfig { LoadBalancingConfigs = { new LoadBalancingConfig(Name) } };
        });

        public override LoadBalancer Create(LoadBalancerOptions options)
        {
            _channel = options;
            var (handler, log) = (_transport!.HttpHandler!, new ClientLog(options.LoggerFactory.CreateLogger("Ha.Grpc.Client")));
            return new LeaderBalancer(
                this, new HaLeaderOptions(), new HttpMessageInvoker(handler, disposeHandler: false), TimeSpan.FromSeconds(2), log, CancellationToken.None);
        }

        public void UpdateState(BalancerState state) => _channel!.Controller.UpdateState(state);

        public Subchannel CreateSubchannel(SubchannelOptions options)
        {
            WasLeft = Opened.FirstOrDefault()?.ToString();
            var subchannel = _channel!.Controller.CreateSubchannel(options);
            Opened.Enqueue(subchannel);
            subchannel.OnStateChanged(state => first(subchannel, state.State, Opened.Count));
            return subchannel;
        }

        public void RefreshResolver() => _channel!.Controller.RefreshResolver();
    }

    /// <summary>Lets everything through, and from one moment on nothing, without closing.</summary>
    private sealed class Silence : IFlow
    {
        private volatile bool _hasBegun;

        public void Begin() => _hasBegun = true;

        public FlowStep Next(int available) => new(available) { Delay = _hasBegun ? TimeSpan.FromHours(1) : TimeSpan.Zero };
    }
}
