using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Ha.Grpc.Client;
using Ha.Tests.GrpcCalls;
using Ha.Tests.Support;

namespace Ha.Tests.GrpcClient;

/// <summary>Names in the address of a channel, over TLS and without.</summary>
public sealed class NodeResolverTests
{
    [Fact]
    public async Task Each_node_is_called_by_the_name_that_was_written_and_its_certificate_must_say_so()
    {
        using var authority = new TestAuthority();
        await using var a = await StartAsync(authority, "a.test");
        await using var b = await StartAsync(authority, "b.test");
        b.Leadership.Lead();
        var names = new Names();
        Array.ForEach(["a.test", "b.test", "other.test"], name => names[name] = [IPAddress.Loopback]);
        using (var channel = Channel(authority, $"ha:///a.test:{a.Port},b.test:{b.Port}", names))
        {
            var answer = await new Calls.CallsClient(channel).UnaryAsync(new Said(), LeaderChannel.InHalfAMinute(wait: true));
            Assert.Equal("b.test", answer.Text);
            Assert.Equal([$"b.test:{b.Port}"], b.Calls);
            await Eventually.True(() => a.Open == 1);
            Assert.Equal((1, 1), (a.Accepted, b.Accepted));
        }

        using var wrong = Channel(authority, $"ha:///other.test:{b.Port}", names);
        var error = await Assert.ThrowsAsync<RpcException>(
            async () => await new Calls.CallsClient(wrong).UnaryAsync(new Said(), LeaderChannel.InHalfAMinute()));
        Assert.Contains("certificate", error.Status.Detail, StringComparison.Ordinal);
        Assert.StartsWith($"no leader: other.test:{b.Port} (127.0.0.1) ", error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_stands_for_several_addresses_is_as_many_nodes_and_is_looked_up_again_when_one_is_lost()
    {
        await using var a = await LeaderNode.StartAsync("a");
        await using var b = await LeaderNode.StartAsync("b", new LeaderNodeSetup { Listen = IPAddress.Parse("127.0.0.2"), Port = a.Port });
        await using var c = await LeaderNode.StartAsync("c", new LeaderNodeSetup { Listen = IPAddress.Parse("127.0.0.3"), Port = a.Port });
        var names = new Names { ["orders.test"] = [IPAddress.Loopback, IPAddress.Parse("127.0.0.2")] };
        b.Leadership.Lead();
        using var channel = new LeaderChannel($"orders.test:{a.Port}", names.Use);
        Assert.Equal("b", await channel.CallAsync());
        Assert.Equal([$"orders.test:{a.Port}"], b.Calls);
        await Eventually.True(() => a.Open == 1);

        names["orders.test"] = [IPAddress.Loopback, IPAddress.Parse("127.0.0.3")];
        await b.KillAsync();
        await Eventually.True(() => c.Open == 1);
        c.Leadership.Lead(epoch: 2);
        await channel.MovesToAsync("c");
        Assert.Equal((1, 1), (a.Accepted, a.Open));
    }

    [Fact]
    public async Task A_name_that_cannot_be_resolved_says_so_and_is_tried_again_while_the_others_serve()
    {
        await using var a = await LeaderNode.StartAsync("a");
        a.Leadership.Lead();
        var names = new Names();
        using (var nothing = new LeaderChannel($"away.test:{a.Port}", names.Use))
        {
            var error = await Assert.ThrowsAsync<RpcException>(() => nothing.CallAsync(wait: false));
            Assert.Equal("no leader: The name 'away.test' cannot be resolved: No such host is known", error.Status.Detail);
            var waiting = nothing.CallAsync();
            names["away.test"] = [IPAddress.Loopback];
            Assert.Equal("a", await waiting);
        }

        names.Clear();
        using var some = new LeaderChannel($"away.test:{a.Port},{a.Address}", names.Use);
        Assert.Equal("a", await some.CallAsync(wait: false));
    }

    [Fact]
    public async Task A_look_up_that_takes_long_holds_up_nobody_else_and_is_added_when_it_is_there()
    {
        await using var a = await LeaderNode.StartAsync("a");
        await using var b = await LeaderNode.StartAsync("b");
        a.Leadership.Lead();
        var slow = new TaskCompletionSource<IPAddress[]>();
        using var channel = new LeaderChannel(
            $"slow.test:{b.Port},{a.Address}",
            o =>
            {
                o.ShortestResolveInterval = TimeSpan.FromMinutes(1);
                o.Lookup = (_, _) => slow.Task;
            });
        var begun = TimeProvider.System.GetTimestamp();
        Assert.Equal("a", await channel.CallAsync(wait: false));
        Assert.True(TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(1.9));

        a.Leadership.LoseLeader();
        b.Leadership.Lead(epoch: 2);

        // The name may be the leader's: calls wait for it, but not for long.
        var error = await channel.FailsAsync("no leader: ");
        Assert.True(TimeProvider.System.GetElapsedTime(begun) > TimeSpan.FromSeconds(1.9));
        Assert.Equal($"no leader: {a.Address} does not lead", error.Status.Detail);
        slow.SetResult([IPAddress.Loopback]);
        await channel.MovesToAsync("b");
    }

    [Fact]
    public async Task Whatever_a_look_up_fails_with_it_is_tried_again()
    {
        await using var a = await LeaderNode.StartAsync("a");
        a.Leadership.Lead();
        var times = 0;
        using var channel = new LeaderChannel(
            $"odd.test:{a.Port}",
            o =>
            {
                o.ShortestResolveInterval = TimeSpan.FromMilliseconds(100);
                o.Lookup = (_, _) => Interlocked.Increment(ref times) < 3
                    ? throw new IOException("too long")
                    : Task.FromResult<IPAddress[]>([IPAddress.Loopback]);
            });
        Assert.Equal("a", await channel.CallAsync());
    }

    [Fact]
    public async Task Fixed_addresses_and_localhost_are_not_looked_up()
    {
        await using var a = await LeaderNode.StartAsync("a");
        a.Leadership.Lead();
        using var channel = new LeaderChannel(
            $"localhost:{a.Port}", static o => o.Lookup = (_, _) => throw new InvalidOperationException("looked up"));
        Assert.Equal("a", await channel.CallAsync());
        Assert.Equal([$"localhost:{a.Port}"], a.Calls);
    }

    private static Task<LeaderNode> StartAsync(TestAuthority authority, string name) =>
        LeaderNode.StartAsync(name, new LeaderNodeSetup { Certificate = authority.Issue(name).Load() });

    private static GrpcChannel Channel(TestAuthority authority, string address, Names names) => GrpcChannel.ForAddress(
        address,
        new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                UseProxy = false,
                SslOptions = { CertificateChainPolicy = TestAuthority.Policy(authority.Root) },
            },
            DisposeHttpClient = true,
        }.UseHaLeader(names.Use));

    /// <summary>A DNS that the test writes.</summary>
    private sealed class Names : ConcurrentDictionary<string, IPAddress[]>
    {
        public void Use(HaLeaderOptions options)
        {
            options.ShortestResolveInterval = TimeSpan.FromMilliseconds(100);
            options.Lookup = (name, _) =>
                TryGetValue(name, out var found) ? Task.FromResult(found)
                : Task.FromException<IPAddress[]>(new SocketException((int)SocketError.HostNotFound, "No such host is known"));
        }
    }
}
