using System.Net;
using Ha.Consistency;
using Ha.Security;
using Ha.Tests.Forwarding;
using Ha.Tests.Http;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Consistency;

/// <summary>A leader and a follower with replicas whose progress the test makes; epoch 5.</summary>
public sealed class ConsistentReadTests
{
    private const string Secret = "a-secret-for-the-tests-only";
    private const string Header = "X-Base-Position";

    private static readonly TimeSpan _short = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan _long = TimeSpan.FromSeconds(25);

    [Fact]
    public async Task A_read_waits_until_its_node_has_what_was_written()
    {
        var (replica, here) = (new FakeReplica(), Patient(_long));
        await using var leader = await LeaderAsync(replica);
        await using var follower = await FollowerAsync(leader.Url, here);
        using var client = TestNode.Client();
        replica.Write(100);
        var position = await WriteAsync(client, leader.Url);

        var read = ReadAsync(client, follower.Url, position);
        await Eventually.True(() => follower.Reads!.Watch.Waiting == 1);
        Assert.False(read.IsCompleted);
        here.Reach(99);
        here.Reach(100);

        Assert.Equal("follower, any node", await (await read).Content.ReadAsStringAsync());
        Assert.Equal(0, replica.Looks);
    }

    [Fact]
    public async Task A_write_through_a_follower_brings_the_leaders_position()
    {
        var (replica, here) = (new FakeReplica(), Patient(_long));
        await using var leader = await LeaderAsync(replica, cookie: true);
        await using var follower = await FollowerAsync(leader.Url, here, cookie: true);
        using var client = TestNode.Client();
        replica.Write(100);
        here.Write(7);

        using var written = await client.PostAsync(new Uri(follower.Url + "/notes"), content: null);

        Assert.Equal(new ReadPosition(5, 100), Read(PositionOf(written)));
        Assert.Single(written.Headers.GetValues("Set-Cookie"));
        Assert.Equal(0, here.Reads);
    }

    [Fact]
    public async Task A_browser_gets_a_cookie_that_no_page_can_read_and_that_ends()
    {
        await using var leader = await LeaderAsync(new FakeReplica(), cookie: true);
        using var client = TestNode.Client();

        using var written = await client.PostAsync(new Uri(leader.Url + "/notes"), content: null);

        var position = PositionOf(written);
        var cookie = Assert.Single(written.Headers.GetValues("Set-Cookie"));
        Assert.Equal($"base_position={position}; max-age=60; path=/; samesite=lax; httponly", cookie);
        using var read = await ReadAsync(client, leader.Url, cookie: position);
        Assert.Equal("leader, as leader", await read.Content.ReadAsStringAsync());
        Assert.False(read.Headers.Contains("Set-Cookie"));
        Assert.False(read.Headers.Contains(Header));
    }

    [Fact]
    public async Task A_cookie_over_TLS_is_for_TLS_alone()
    {
        using var authority = new TestAuthority();
        var secure = new TestNodeSetup { Certificate = authority.Issue("127.0.0.1").Load() };
        await using var leader = await LeaderAsync(new FakeReplica(), cookie: true, secure);
        using var client = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = { CertificateChainPolicy = TestAuthority.Policy(authority.Root) },
        });

        using var written = await client.PostAsync(new Uri(leader.Url + "/notes"), content: null);

        Assert.Contains("; secure;", Assert.Single(written.Headers.GetValues("Set-Cookie")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("POST", "/notes", true)]
    [InlineData("POST", "/moved", true)]
    [InlineData("POST", "/late", true)]
    [InlineData("POST", "/stream", true)]
    [InlineData("POST", "/bad", false)]
    [InlineData("POST", "/fails", false)]
    [InlineData("POST", "/search", false)]
    [InlineData("GET", "/notes", false)]
    [InlineData("GET", "/strict", false)]
    public async Task Successful_writes_have_a_position_and_nothing_else(string method, string path, bool has)
    {
        await using var leader = await LeaderAsync(new FakeReplica());
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(leader.Url + path));
        using var answer = await client.SendAsync(request);
        Assert.Equal(has, answer.Headers.Contains(Header));
        Assert.False(answer.Headers.Contains("Set-Cookie"));
    }

    [Fact]
    public async Task A_write_that_its_handler_refused_does_not_put_this_nodes_position_on_the_leaders_answer()
    {
        var (replica, here) = (new FakeReplica(), Patient(_long));
        await using var leader = await LeaderAsync(replica, setup: new TestNodeSetup { App = app => app.MapPost("/given", () => "taken") });
        var giveAway = () => { };
        await using var other = await StartAsync("other", here, SetupFor(proxies: true, new TestNodeSetup
        {
            App = app => app.MapPost("/given", string () =>
            {
                giveAway();
                throw new NotLeaderException();
            }),
        }));
        using var client = TestNode.Client();
        replica.Write(100);
        here.Write(7);
        other.Leadership.Lead(epoch: 4);
        giveAway = () => other.Leadership.Follow(leader.Url, epoch: 5);

        using var written = await client.PostAsync(new Uri(other.Url + "/given"), content: null);

        Assert.Equal("taken", await written.Content.ReadAsStringAsync());
        Assert.Equal(new ReadPosition(5, 100), Read(PositionOf(written)));
        Assert.Equal(0, here.Reads);
    }

    [Fact]
    public async Task A_read_that_its_node_never_catches_up_with_goes_to_the_leader_and_runs_there_as_leader()
    {
        var (replica, here) = (new FakeReplica(), Patient(_short));
        await using var leader = await LeaderAsync(replica);
        await using var follower = await FollowerAsync(leader.Url, here);
        using var client = TestNode.Client();

        using var read = await ReadAsync(client, follower.Url, Signed(epoch: 5, number: 100));

        Assert.Equal("leader, as leader", await read.Content.ReadAsStringAsync());
        Assert.Equal(0, replica.Looks);
        Assert.Equal(0, follower.Reads!.Watch.Waiting);
    }

    [Fact]
    public async Task In_redirect_mode_a_position_is_taken_along_by_proxy_but_for_endpoints_that_never_are()
    {
        var here = Silent(_long);
        await using var leader = await LeaderAsync(new FakeReplica());
        await using var follower = await StartAsync("follower", here, SetupFor(proxies: false));
        follower.Leadership.Follow(leader.Url, epoch: 5);
        using var client = TestNode.Client();
        var position = Signed(epoch: 5, number: 100);

        using var header = await ReadAsync(client, follower.Url, position);
        using var cookie = await ReadAsync(client, follower.Url, cookie: position);
        using var never = await ReadAsync(client, follower.Url, position, path: "/own");
        using var write = await client.PostAsync(new Uri(follower.Url + "/notes"), content: null);

        Assert.Equal("leader, as leader", await header.Content.ReadAsStringAsync());
        Assert.Equal("leader, as leader", await cookie.Content.ReadAsStringAsync());
        Assert.Equal((HttpStatusCode.TemporaryRedirect, leader.Url + "/own"), (never.StatusCode, never.Headers.Location!.OriginalString));
        Assert.Equal(HttpStatusCode.TemporaryRedirect, write.StatusCode);
    }

    [Fact]
    public async Task Without_a_leader_it_is_told_to_come_again()
    {
        var here = Patient(_short);
        await using var follower = await StartAsync("follower", here, SetupFor(proxies: true));
        using var client = TestNode.Client();
        var from = TimeProvider.System.GetTimestamp();

        using var read = await ReadAsync(client, follower.Url, Signed(epoch: 5, number: 100));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, read.StatusCode);
        Assert.Equal("1", Assert.Single(read.Headers.GetValues("Retry-After")));
        Assert.InRange(TimeProvider.System.GetElapsedTime(from), _short - TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_leader_that_cannot_be_connected_to_is_not_waited_for_beyond_the_bound()
    {
        var here = Patient(_short);
        using var hole = await BlackHole.OpenAsync(IPAddress.Loopback);
        var lease = TimeSpan.FromSeconds(20);
        await using var follower = await FollowerAsync(
            $"http://{hole.Address}", here, setup: new TestNodeSetup { Options = options => options.LeaseTimeout = lease });
        using var client = TestNode.Client();
        var from = TimeProvider.System.GetTimestamp();

        using var read = await ReadAsync(client, follower.Url, Signed(epoch: 5, number: 100));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, read.StatusCode);
        Assert.Equal("1", Assert.Single(read.Headers.GetValues("Retry-After")));
        var least = _short + TimeSpan.FromMilliseconds(250 - 20);
        Assert.InRange(TimeProvider.System.GetElapsedTime(from), least, TimeSpan.FromSeconds(4));
        Assert.Contains(
            follower.Logs.Entries, entry => entry.Id == 1201 && entry.Text.Contains("no connection in time", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_connection_to_the_leader_may_take_what_is_left_of_the_wait()
    {
        var (here, clock) = (Silent(TimeSpan.FromSeconds(1)), new ManualTime());
        using var hole = await BlackHole.OpenAsync(IPAddress.Loopback);
        await using var follower = await FollowerAsync($"http://{hole.Address}", here, setup: new TestNodeSetup { Clock = clock });
        using var client = TestNode.Client();

        var read = ReadAsync(client, follower.Url, Signed(epoch: 5, number: 100));
        await Eventually.True(() => hole.Knocking == 1);
        var armed = clock.Armed;
        clock.Advance(TimeSpan.FromSeconds(0.9));
        Assert.Equal(armed, clock.Armed);
        clock.Advance(TimeSpan.FromSeconds(0.1));

        using var refused = await read;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
    }

    [Fact]
    public async Task A_leader_that_has_the_read_is_waited_for_beyond_the_bound()
    {
        var (here, clock) = (Silent(_short), new ManualTime());
        var (has, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var slow = new RawLeader(async (connection, _) =>
        {
            has.TrySetResult();
            await goOn.Task;
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        });
        await using var follower = await FollowerAsync(slow.Url, here, setup: new TestNodeSetup { Clock = clock });
        using var client = TestNode.Client();

        var read = ReadAsync(client, follower.Url, Signed(epoch: 5, number: 100));
        await has.Task.WaitAsync(TimeSpan.FromSeconds(30));
        clock.Advance(TimeSpan.FromMinutes(1));
        goOn.SetResult();

        using var answer = await read;
        Assert.Equal((HttpStatusCode.OK, 1), (answer.StatusCode, slow.Requests));
    }

    [Theory]
    [InlineData("GET", "/notes")]
    [InlineData("QUERY", "/notes")]
    public async Task A_read_whose_leader_dies_is_answered_by_the_next_one(string method, string path)
    {
        var (here, clock) = (Silent(_short), new ManualTime());
        await using var next = await LeaderAsync(new FakeReplica());
        var die = () => { };
        await using var dying = new RawLeader((_, _) =>
        {
            die();
            return Task.CompletedTask;
        });
        await using var follower = await FollowerAsync(dying.Url, here, setup: new TestNodeSetup { Clock = clock });
        die = () =>
        {
            // By now it would not wait for another.
            clock.Advance(_short);
            follower.Leadership.Follow(next.Url, epoch: 5, leaderId: "next");
        };
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(follower.Url + path))
        {
            Headers = { { Header, Signed(5, 100) } },
        };

        using var read = await client.SendAsync(request);

        Assert.Equal("leader, as leader", await read.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_post_that_only_reads_is_sent_once()
    {
        await using var dying = new RawLeader((_, _) => Task.CompletedTask);
        await using var follower = await FollowerAsync(dying.Url, Silent(_long));
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(follower.Url + "/search"))
        {
            Headers = { { Header, Signed(5, 100) } },
        };

        using var read = await client.SendAsync(request);

        Assert.Equal((HttpStatusCode.BadGateway, 1), (read.StatusCode, dying.Requests));
    }

    [Fact]
    public async Task A_replica_that_cannot_say_costs_no_wait()
    {
        var here = Patient(_long);
        here.ReachedFails = new InvalidOperationException("away");
        await using var leader = await LeaderAsync(new FakeReplica());
        await using var follower = await FollowerAsync(leader.Url, here);
        using var client = TestNode.Client();

        using var read = await ReadAsync(client, follower.Url, Signed(epoch: 5, number: 100));

        Assert.Equal("leader, as leader", await read.Content.ReadAsStringAsync());
        Assert.Contains(follower.Logs.Entries, entry => entry.Id == 1231);
    }

    [Fact]
    public async Task The_position_of_an_earlier_leader_costs_one_look_and_no_wait()
    {
        var here = Patient(_long);
        await using var leader = await LeaderAsync(new FakeReplica());
        await using var follower = await FollowerAsync(leader.Url, here);
        using var client = TestNode.Client();

        using var lost = await ReadAsync(client, follower.Url, Signed(epoch: 4, number: 100));
        Assert.Equal(("leader, as leader", 1), (await lost.Content.ReadAsStringAsync(), here.Looks));

        here.Reach(100);
        using var kept = await ReadAsync(client, follower.Url, Signed(epoch: 4, number: 100));
        Assert.Equal(("follower, any node", 2), (await kept.Content.ReadAsStringAsync(), here.Looks));
    }

    [Fact]
    public async Task The_position_of_a_later_leader_waits_for_no_longer_than_the_bound()
    {
        var here = Patient(_short);
        await using var leader = await LeaderAsync(new FakeReplica());
        await using var follower = await FollowerAsync(leader.Url, here);
        using var client = TestNode.Client();
        var from = TimeProvider.System.GetTimestamp();

        // The follower does not know that one; and the one whom it takes for the leader must not serve it.
        using var read = await ReadAsync(client, follower.Url, Signed(epoch: 6, number: 100));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, read.StatusCode);
        Assert.InRange(TimeProvider.System.GetElapsedTime(from), TimeSpan.Zero, TimeSpan.FromSeconds(5));

        here.Reach(100);
        using var reached = await ReadAsync(client, follower.Url, Signed(epoch: 6, number: 100));
        Assert.Equal("follower, any node", await reached.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_leader_that_has_been_followed_by_another_does_not_serve_what_that_one_wrote()
    {
        var replica = Patient(_short);
        await using var leader = await StartAsync("leader", replica, SetupFor(proxies: true));
        leader.Leadership.Lead(epoch: 5);
        using var client = TestNode.Client();

        using var refused = await ReadAsync(client, leader.Url, Signed(epoch: 6, number: 100));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("1", Assert.Single(refused.Headers.GetValues("Retry-After")));

        replica.Reach(100);
        using var reached = await ReadAsync(client, leader.Url, Signed(epoch: 6, number: 100));
        Assert.Equal("leader, any node", await reached.Content.ReadAsStringAsync());
    }

    public static TheoryData<string, string> Ignored => new()
    {
        { "nonsense", "malformed" },
        { new string('A', 5000), "malformed" },
        { "AQ", "malformed" },
        { Signed(5, 100, secret: "another-secret-of-some-length"), "unknown_key" },
        { PositionText.Write(new ReadPosition(5, 100), "default", new KeyRing([], unsigned: true))!, "unknown_key" },
        { Signed(5, 100, cluster: "orders"), "bad_signature" },
        { Signed(long.MaxValue, long.MaxValue)[..^4] + "AAAA", "bad_signature" },
    };

    [Theory]
    [MemberData(nameof(Ignored))]
    public async Task What_the_cluster_has_not_signed_is_ignored(string position, string reason)
    {
        var here = Patient(_long);
        await using var leader = await LeaderAsync(new FakeReplica());
        await using var follower = await FollowerAsync(leader.Url, here);
        using var client = TestNode.Client();

        using var header = await ReadAsync(client, follower.Url, position);
        using var cookie = await ReadAsync(client, follower.Url, cookie: position);

        Assert.Equal("follower, any node", await header.Content.ReadAsStringAsync());
        Assert.Equal("follower, any node", await cookie.Content.ReadAsStringAsync());
        Assert.Equal(0, here.Looks);
        Assert.Contains(reason, Assert.Single(follower.Logs.Entries, entry => entry.Id == 1232).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_several_the_latest_that_is_good_counts()
    {
        var here = Patient(_long);
        await using var leader = await LeaderAsync(new FakeReplica());
        await using var follower = await FollowerAsync(leader.Url, here);
        using var client = TestNode.Client();
        var forged = Signed(9, 900, secret: "another-secret-of-some-length");

        var read = ReadAsync(client, follower.Url, $"{Signed(5, 100)}, {forged},nonsense", cookie: Signed(5, 200));
        await Eventually.True(() => follower.Reads!.Watch.Waiting == 1);
        here.Reach(199);
        var looks = here.Looks;
        await Eventually.True(() => here.Looks > looks + 2);
        Assert.False(read.IsCompleted);
        here.Reach(200);

        Assert.Equal("follower, any node", await (await read).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task More_than_a_few_are_not_looked_at()
    {
        var here = Patient(_long);
        await using var leader = await LeaderAsync(new FakeReplica());
        await using var follower = await FollowerAsync(leader.Url, here);
        using var client = TestNode.Client();
        var many = string.Join(',', Enumerable.Repeat("x", CarriedPositions.Most)) + "," + Signed(5, 100);
        using var read = await ReadAsync(client, follower.Url, many);
        Assert.Equal(("follower, any node", 0), (await read.Content.ReadAsStringAsync(), here.Looks));
    }

    [Theory]
    [InlineData("GET", "/notes", true)]
    [InlineData("HEAD", "/notes", true)]
    [InlineData("QUERY", "/notes", true)]
    [InlineData("POST", "/search", true)]
    [InlineData("OPTIONS", "/notes", false)]
    [InlineData("TRACE", "/notes", false)]
    [InlineData("GET", "/hub", false)]
    [InlineData("GET", "/never/notes", false)]
    [InlineData("POST", "/never/notes", false)]
    public async Task Only_what_reads_data_waits(string method, string path, bool waits)
    {
        var here = Patient(_long);
        await using var leader = await LeaderAsync(new FakeReplica());
        await using var follower = await FollowerAsync(leader.Url, here);
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(follower.Url + path));
        request.Headers.Add(Header, Signed(5, 100));

        var read = client.SendAsync(request);

        if (waits)
        {
            await Eventually.True(() => follower.Reads!.Watch.Waiting == 1);
            here.Reach(100);
        }

        using var answer = await read;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("follower", Assert.Single(answer.Headers.GetValues("Served-By")));
        Assert.Equal(waits, here.Looks > 0);
    }

    [Theory]
    [InlineData("/throws")]
    [InlineData("/missing")]
    public async Task An_error_page_does_not_wait_for_what_its_read_has_waited_for(string path)
    {
        var here = Patient(_long);
        here.Reach(100);
        TestNode? follower = null;
        await using var leader = await LeaderAsync(new FakeReplica());
        await using (follower = await FollowerAsync(leader.Url, here, setup: new TestNodeSetup
        {
            Before = app => app.UseExceptionHandler("/page").UseStatusCodePagesWithReExecute("/page"),
            App = app =>
            {
                app.MapGet("/page", (HttpContext http) => $"a page of {http.Items["node"]}");
                app.MapGet("/throws", IResult () => throw new InvalidOperationException("broken"));
                app.Use(async (_, next) =>
                {
                    // The replica has started again, further behind, and a look is due.
                    here.Reach(0);
                    await Eventually.True(() => !follower!.Reads!.Watch.HasReached(100));
                    await next();
                });
            },
        }))
        {
            using var client = TestNode.Client();
            using var answer = await ReadAsync(client, follower.Url, Signed(5, 100), path: path);
            Assert.Equal("a page of follower", await answer.Content.ReadAsStringAsync());
            Assert.Equal(1, here.Looks);
        }
    }

    [Fact]
    public async Task A_WebSocket_does_not_wait()
    {
        var here = Patient(_long);
        await using var leader = await LeaderAsync(new FakeReplica());
        await using var follower = await FollowerAsync(leader.Url, here);
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(follower.Url + "/notes"))
        {
            Headers = { { Header, Signed(5, 100) }, { "Connection", "Upgrade" }, { "Upgrade", "websocket" } },
        };
        using var answer = await client.SendAsync(request);
        Assert.Equal(("follower, any node", 0), (await answer.Content.ReadAsStringAsync(), here.Looks));
    }

    [Fact]
    public async Task A_thousand_wait_together_and_one_who_leaves_is_forgotten()
    {
        var here = Patient(_long);
        here.Consistency.MaxWaiting = 1001;
        await using var leader = await LeaderAsync(new FakeReplica());
        await using var follower = await FollowerAsync(leader.Url, here);
        using var client = TestNode.Client();
        using var leaves = new CancellationTokenSource();
        var leaving = ReadAsync(client, follower.Url, Signed(5, 100), cancelled: leaves.Token);
        await Eventually.True(() => follower.Reads!.Watch.Waiting == 1);
        var reads = Enumerable.Range(0, 1000).Select(i => ReadAsync(client, follower.Url, Signed(5, 101 + (i % 7)))).ToArray();
        await Eventually.True(() => follower.Reads!.Watch.Waiting == 1001);

        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        await Eventually.True(() => follower.Reads!.Watch.Waiting == 1000);
        here.Reach(107);

        foreach (var read in reads)
        {
            using var answer = await read;
            Assert.Equal("follower, any node", await answer.Content.ReadAsStringAsync());
        }

        await Eventually.True(() => follower.Reads!.Watch.Waiting == 0);
    }

    [Fact]
    public async Task More_than_may_wait_go_to_the_leader_at_once()
    {
        var here = Patient(_long);
        here.Consistency.MaxWaiting = 1;
        await using var leader = await LeaderAsync(new FakeReplica());
        await using var follower = await FollowerAsync(leader.Url, here);
        using var client = TestNode.Client();
        var first = ReadAsync(client, follower.Url, Signed(5, 100));
        await Eventually.True(() => follower.Reads!.Watch.Waiting == 1);

        using var second = await ReadAsync(client, follower.Url, Signed(5, 100));

        Assert.Equal("leader, as leader", await second.Content.ReadAsStringAsync());
        Assert.Contains(follower.Logs.Entries, entry => entry.Id == 1233);
        here.Reach(100);
        using var answer = await first;
    }

    [Fact]
    public async Task A_position_that_cannot_be_read_is_left_out_and_reported()
    {
        var replica = new FakeReplica { WrittenFails = new InvalidOperationException("away") };
        await using var leader = await LeaderAsync(replica);
        using var client = TestNode.Client();

        using var written = await client.PostAsync(new Uri(leader.Url + "/notes"), content: null);

        Assert.Equal(HttpStatusCode.OK, written.StatusCode);
        Assert.False(written.Headers.Contains(Header));
        Assert.Contains(leader.Logs.Entries, entry => entry.Id == 1230);
    }

    [Fact]
    public async Task Nobody_waits_where_it_is_off()
    {
        await using var follower = await StartAsync("follower", replica: null, SetupFor(proxies: true));
        using var client = TestNode.Client();
        using var read = await ReadAsync(client, follower.Url, Signed(5, 100));
        Assert.Equal("follower, any node", await read.Content.ReadAsStringAsync());
        follower.Leadership.Lead(epoch: 5);
        using var written = await client.PostAsync(new Uri(follower.Url + "/notes"), content: null);
        Assert.False(written.Headers.Contains(Header));
    }

    [Fact]
    public async Task A_made_up_hop_mark_brings_a_refusal_and_no_wait()
    {
        var here = Patient(_long);
        await using var leader = await LeaderAsync(new FakeReplica());
        await using var follower = await FollowerAsync(leader.Url, here);
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(follower.Url + "/notes"))
        {
            Headers = { { Header, Signed(5, 100) }, { "X-Base-Forwarded-By", "x" } },
        };
        using var answer = await client.SendAsync(request);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, 0), (answer.StatusCode, here.Looks));

        using var forged = new HttpRequestMessage(HttpMethod.Get, new Uri(leader.Url + "/notes"))
        {
            Headers = { { Header, Signed(5, 100, secret: "another-secret-of-some-length") }, { "X-Base-Forwarded-By", "x" } },
        };
        using var served = await client.SendAsync(forged);
        Assert.Equal("leader, any node", await served.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Cached_pages_are_kept_for_each_position_as_the_documentation_shows()
    {
        var here = Patient(_long);
        here.Reach(100);
        var version = 1;
        await using var leader = await LeaderAsync(new FakeReplica());
        await using var follower = await FollowerAsync(leader.Url, here, setup: new TestNodeSetup
        {
            Builder = builder => builder.Services.AddOutputCache(cache => cache.AddBasePolicy(policy => policy.VaryByValue(context =>
                new KeyValuePair<string, string>("position", context.Request.Headers[Header] + context.Request.Cookies["base_position"])))),
            App = app =>
            {
                app.UseOutputCache();
                app.MapGet("/page", () => $"version {version}").CacheOutput();
            },
        });
        using var client = TestNode.Client();
        Assert.Equal("version 1", await client.GetStringAsync(new Uri(follower.Url + "/page")));
        version = 2;
        Assert.Equal("version 1", await client.GetStringAsync(new Uri(follower.Url + "/page")));

        using var header = await ReadAsync(client, follower.Url, Signed(5, 100), path: "/page");
        using var cookie = await ReadAsync(client, follower.Url, cookie: Signed(5, 99), path: "/page");

        Assert.Equal("version 2", await header.Content.ReadAsStringAsync());
        Assert.Equal("version 2", await cookie.Content.ReadAsStringAsync());
    }

    [Fact]
    public void Without_a_key_the_start_is_refused()
    {
        var options = new HaOptions { NodeId = "n1", LocalTarget = "http://n1.example", Consistency = _ => new FakeReplica().Consistency };
        var problem = Assert.Single(TestSettings.Problems(options));
        Assert.Contains("no key to sign positions with; set BASE_CLUSTER_SECRET", problem, StringComparison.Ordinal);
        options.Insecure = true;
        Assert.Empty(TestSettings.Problems(options));
    }

    [Fact]
    public void Bounds_are_bounded()
    {
        var consistency = new FakeReplica().Consistency;
        Assert.Throws<ArgumentOutOfRangeException>(() => consistency.MaxWait = TimeSpan.FromMilliseconds(9));
        Assert.Throws<ArgumentOutOfRangeException>(() => consistency.MaxWait = TimeSpan.FromHours(2));
        Assert.Throws<ArgumentOutOfRangeException>(() => consistency.PollInterval = TimeSpan.Zero);
        Assert.Throws<ArgumentOutOfRangeException>(() => consistency.MaxWaiting = -1);
        Assert.Throws<ArgumentOutOfRangeException>(() => consistency.CookieLifetime = TimeSpan.FromDays(2));
        consistency.CookieLifetime = null;
    }

    private static FakeReplica Patient(TimeSpan maxWait)
    {
        var replica = new FakeReplica();
        replica.Consistency.MaxWait = maxWait;
        return replica;
    }

    private static FakeReplica Silent(TimeSpan maxWait)
    {
        var replica = Patient(maxWait);
        replica.ReachedFails = new InvalidOperationException("away");
        return replica;
    }

    private static TestNodeSetup SetupFor(bool proxies, TestNodeSetup? setup = null)
    {
        setup ??= new TestNodeSetup();
        var more = setup.App;
        return setup with
        {
            AfterRouting = true,
            App = app =>
            {
                more(app);
                Map(app);
            },
            Options = options =>
            {
                options.ClusterSecrets.Add(Secret);
                options.ForwardMode = proxies ? ForwardMode.Proxy : ForwardMode.Redirect;
                options.ForwardNever.Add("/never");
                options.WriteHold = TimeSpan.FromSeconds(20);
                setup.Options(options);
            },
        };
    }

    private static Task<TestNode> StartAsync(string id, FakeReplica? replica, TestNodeSetup setup) => TestNode.StartAsync(setup with
    {
        Id = id,
        Consistency = replica?.Consistency,
        Before = app =>
        {
            setup.Before(app);
            app.Use((http, next) =>
            {
                http.Items["node"] = id;
                return next(http);
            });
        },
    });

    private static async Task<TestNode> LeaderAsync(FakeReplica replica, bool cookie = false, TestNodeSetup? setup = null)
    {
        replica.Consistency.CookieLifetime = cookie ? TimeSpan.FromMinutes(1) : null;
        var node = await StartAsync("leader", replica, SetupFor(proxies: true, setup));
        node.Leadership.Lead(epoch: 5);
        return node;
    }

    private static async Task<TestNode> FollowerAsync(string leader, FakeReplica replica, bool cookie = false, TestNodeSetup? setup = null)
    {
        replica.Consistency.CookieLifetime = cookie ? TimeSpan.FromMinutes(1) : null;
        var node = await StartAsync("follower", replica, SetupFor(proxies: true, setup));
        node.Leadership.Follow(leader, epoch: 5);
        return node;
    }

    private static void Map(WebApplication app)
    {
        static string Served(HttpContext http)
        {
            http.Response.Headers["Served-By"] = $"{http.Items["node"]}";
            return $"{http.Items["node"]}, {(LeaderScope.Current is null ? "any node" : "as leader")}";
        }

        app.MapMethods("/notes", ["GET", "HEAD", "QUERY", "OPTIONS", "TRACE", "POST"], Served);
        app.MapMethods("/never/notes", ["GET", "POST"], Served);
        app.MapGet("/hub", Served).WithMetadata(new HubMetadata(typeof(object)));
        app.MapPost("/search", Served).AllowOnAnyNode();
        app.MapGet("/strict", Served).RequireLeader();
        app.MapGet("/own", Served).NeverProxy();
        app.MapPost("/moved", () => Results.Redirect("/notes"));
        app.MapPost("/bad", () => Results.BadRequest());
        app.MapPost("/fails", IResult () => throw new InvalidOperationException("broken"));
        app.MapPost("/late", async (HttpContext http) =>
        {
            await Task.Yield();
            http.Response.StatusCode = StatusCodes.Status204NoContent;
        });
        app.MapPost("/stream", async (HttpContext http) =>
        {
            await http.Response.WriteAsync("one ");
            await http.Response.Body.FlushAsync();
            await http.Response.WriteAsync("two");
        });
    }

    private static string Signed(long epoch, long number, string cluster = "default", string secret = Secret) =>
        PositionText.Write(new ReadPosition(epoch, number), cluster, new KeyRing([new RingKey(new HmacKey(secret), NodeId: null)]))!;

    private static ReadPosition Read(string text)
    {
        Assert.True(PositionText.TryRead(text, out var position));
        return position;
    }

    private static string PositionOf(HttpResponseMessage answer) => Assert.Single(answer.Headers.GetValues(Header));

    private static async Task<string> WriteAsync(HttpClient client, string url)
    {
        using var written = await client.PostAsync(new Uri(url + "/notes"), content: null);
        return PositionOf(written);
    }

    private static async Task<HttpResponseMessage> ReadAsync(
        HttpClient client, string url, string? position = null, string? cookie = null, string path = "/notes",
        CancellationToken cancelled = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(url + path));
        if (position is not null)
        {
            request.Headers.TryAddWithoutValidation(Header, position);
        }

        if (cookie is not null)
        {
            request.Headers.TryAddWithoutValidation("Cookie", $"theme=dark; base_position={cookie}; x=y");
        }

        return await client.SendAsync(request, cancelled);
    }
}
