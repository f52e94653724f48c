using System.Net;
using Grpc.Core;
using Ha.Grpc.Client;
using Ha.Tests.GrpcCalls;
using Ha.Tests.Http;
using Ha.Tests.OnTheWire;
using Ha.Tests.Support;
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
        RpcException? error = null;
        await Eventually.True(async () =>
        {
            try
            {
                await channel.CallAsync(wait: false);
            }
            catch (RpcException refused)
            {
                error = refused;
            }

            return error is not null;
        });
        Assert.Equal(StatusCode.Unavailable, error!.StatusCode);
        Assert.StartsWith("no leader", error.Status.Detail, StringComparison.Ordinal);
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
    public async Task A_refusal_that_names_another_node_moves_the_picks_before_the_watches_do_and_not_for_long()
    {
        await using var b = await LeaderNode.StartAsync("b", new LeaderNodeSetup { Health = HealthKind.Set });
        b.Says(ServingStatus.NotServing);
        var refusals = 0;
        await using var a = await LeaderNode.StartAsync("a", new LeaderNodeSetup
        {
            Method = (_, _, _) => Interlocked.Increment(ref refusals) == 1
                ? throw new NotLeaderException { LeaderUrl = $"http://{b.Address}", Epoch = 2 }
                : Task.FromResult("a"),
        });
        a.Leadership.Lead();
        using var channel = new LeaderChannel(a, b);
        Assert.True((await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync())).IsSafeToRepeat());
        Assert.Equal("b", await channel.CallAsync());

        // The watches have the last word.
        await channel.MovesToAsync("a");
    }

    [Fact]
    public async Task Servers_without_health_take_turns_until_one_leads()
    {
        await using var a = await LeaderNode.StartAsync("a", new LeaderNodeSetup { Health = HealthKind.None });
        await using var b = await LeaderNode.StartAsync("b", new LeaderNodeSetup { Health = HealthKind.Set });
        using var channel = new LeaderChannel(a, b);
        var first = await channel.CallAsync();
        Assert.Equal(first == "a" ? "b" : "a", await channel.CallAsync());
        Assert.Equal(first, await channel.CallAsync());
        b.Says(ServingStatus.Serving);
        await Eventually.True(async () => await channel.CallAsync() == "b" && await channel.CallAsync() == "b");
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

    /// <summary>Lets everything through, and from one moment on nothing, without closing.</summary>
    private sealed class Silence : IFlow
    {
        private volatile bool _hasBegun;

        public void Begin() => _hasBegun = true;

        public FlowStep Next(int available) => new(available) { Delay = _hasBegun ? TimeSpan.FromHours(1) : TimeSpan.Zero };
    }
}
