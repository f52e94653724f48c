using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using Ha.Client;
using Ha.Client.Routing;
using Ha.Tests.Http;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.Client;

/// <summary>Names that stand for several nodes, and move.</summary>
public class NodeFinderTests
{
    private static readonly IPAddress _two = IPAddress.Parse("127.0.0.2"), _three = IPAddress.Parse("127.0.0.3"), _four = IPAddress.Parse("127.0.0.4");

    [Fact]
    public async Task Each_address_of_a_name_is_a_node_under_that_name_and_the_leader_is_learned_from_its_answer()
    {
        // All go by one name, which therefore tells nobody who leads.
        await using var two = await NodeAsync(_two, 0, context => AnswerAsync(context, leads: false));
        var port = new Uri(two.Urls.Single()).Port;
        await using var three = await NodeAsync(_three, port, context => AnswerAsync(context, leads: true));
        using var client = Client([$"http://orders.test:{port}"], (_, _) => Task.FromResult<IPAddress[]>([_two, _three]));
        await SettleAsync(client);

        var written = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            written.Add(await (await client.Http.PostAsync("/notes", content: null)).EnsureSuccessStatusCode().Content.ReadAsStringAsync());
        }

        Assert.All(written, by => Assert.Equal($"127.0.0.3 orders.test:{port}", by));
        Assert.Equal($"http://127.0.0.3:{port}", client.Map.LeaderNow?.Url);
        var read = new HashSet<string> { await client.Http.GetStringAsync("/"), await client.Http.GetStringAsync("/") };
        Assert.Equal([$"127.0.0.2 orders.test:{port}", $"127.0.0.3 orders.test:{port}"], read.Order(StringComparer.Ordinal));

        static Task AnswerAsync(HttpContext context, bool leads)
        {
            var self = $"http://{context.Request.Host}";
            context.Response.Headers["X-Base-Leader"] = self;
            context.Response.Headers["X-Base-Epoch"] = "7";
            if (leads || context.Request.Method == "GET")
            {
                return context.Response.WriteAsync($"{context.Connection.LocalIpAddress} {context.Request.Host}");
            }

            context.Response.StatusCode = 307;
            context.Response.Headers.Location = self + context.Request.Path;
            return Task.CompletedTask;
        }
    }

    [Theory]
    [InlineData(HttpProtocols.Http1)]
    [InlineData(HttpProtocols.Http2)]
    public async Task Certificate_and_host_are_those_of_the_name(HttpProtocols protocols)
    {
        using var ours = new TestAuthority();
        using var certificate = ours.Issue("orders.test").Load();
        var names = new ConcurrentBag<string?>();
        var asked = new ConcurrentBag<string>();
        await using var two = await NodeAsync(_two, 0, EchoAsync, certificate, protocols, names);
        var port = new Uri(two.Urls.Single()).Port;
        await using var three = await NodeAsync(_three, port, EchoAsync, certificate, protocols, names);
        using var client = Client(
            [$"https://orders.test:{port}"],
            (_, _) => Task.FromResult<IPAddress[]>([_two, _three]),
            o => o.MaxBufferedBodyBytes = 0,
            ours,
            protocols);
        await SettleAsync(client);

        // What can be sent once only asks for the leader first, in the package's own words.
        using var body = new StreamContent(new MemoryStream([1]));
        using var written = await client.Http.PostAsync("/notes", body);
        Assert.Equal(HttpStatusCode.OK, written.StatusCode);
        Assert.Equal([$"orders.test:{port}", $"orders.test:{port}"], asked);
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal($"orders.test:{port}", await client.Http.GetStringAsync("/"));
        }

        Assert.Equal(["orders.test"], names.Distinct());

        Task EchoAsync(HttpContext context)
        {
            if (context.Request.Path == "/_ha/leader")
            {
                asked.Add(context.Request.Host.ToString());
            }

            return context.Response.WriteAsync(context.Request.Host.ToString());
        }
    }

    [Fact]
    public async Task Black_holed_address_costs_no_more_than_a_connect_timeout_and_is_then_avoided()
    {
        using var hole = await BlackHole.OpenAsync(_two);
        await using var three = await NodeAsync(_three, hole.Address.Port, context => context.Response.WriteAsync("three"));
        using var client = Client(
            [$"http://orders.test:{hole.Address.Port}"],
            (_, _) => Task.FromResult<IPAddress[]>([_two, _three]),
            o => o.ConnectTimeout = TimeSpan.FromMilliseconds(300));
        await SettleAsync(client);
        var start = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 6; i++)
        {
            Assert.Equal("three", await client.Http.GetStringAsync("/"));
        }

        Assert.InRange(TimeProvider.System.GetElapsedTime(start).TotalSeconds, 0, 2.5);
    }

    [Fact]
    public async Task Name_that_moves_wholly_is_followed_when_its_old_nodes_stop_answering()
    {
        await using var four = await NodeAsync(_four, 0, context => context.Response.WriteAsync("four"));
        var port = new Uri(four.Urls.Single()).Port;
        var moved = false;
        using var client = Client(
            [$"http://orders.test:{port}"],
            (_, _) => Task.FromResult<IPAddress[]>(moved ? [_four, IPAddress.Parse("127.0.0.5")] : [_two, _three]));
        await SettleAsync(client);
        Assert.Equal(["http://127.0.0.2:" + port, "http://127.0.0.3:" + port], client.Map.Configured.Select(member => member.Url));
        moved = true;
        Assert.Equal("four", await client.Http.GetStringAsync("/"));
        Assert.Equal("http://127.0.0.4:" + port, client.Map.Configured[0].Url);
    }

    [Fact]
    public async Task Search_is_due_every_30_s_or_a_second_after_the_last_one_when_a_node_fails()
    {
        var clock = new FakeTimeProvider();
        var searches = 0;
        var finder = new NodeFinder(["http://a"], null, (_, _) => Task.FromResult<IPAddress[]>(searches++ < 0 ? [] : [_two, _three]), clock);
        await finder.Search(anyway: false, (_, _) => { });
        clock.Advance(TimeSpan.FromSeconds(0.9));
        await finder.Search(anyway: true, (_, _) => { });
        Assert.Equal(1, searches);
        clock.Advance(TimeSpan.FromSeconds(0.2));
        await finder.Search(anyway: false, (_, _) => { });
        Assert.Equal(1, searches);
        await finder.Search(anyway: true, (_, _) => { });
        Assert.Equal(2, searches);
        clock.Advance(TimeSpan.FromSeconds(30));
        await finder.Search(anyway: false, (_, _) => { });
        Assert.Equal(3, searches);
    }

    [Fact]
    public async Task Resolver_that_throws_hangs_or_finds_nothing_leaves_what_was_known()
    {
        var clock = new FakeTimeProvider();
        var asked = new TaskCompletionSource();
        var answers = new Queue<Func<ValueTask<IReadOnlyList<Uri>>>>(
        [
            () => throw new InvalidOperationException("no registry"),
            () => Good("http://b:2", "https://a:1"),
            () => throw new InvalidOperationException("no registry"),
            () => Good(),
            () => Good("ftp://a"),
            async () =>
            {
                asked.SetResult();
                await new TaskCompletionSource().Task;
                return [];
            },
            () => Good("https://c:3"),
        ]);
        var finder = new NodeFinder(["https+http://orders"], (_, _) => answers.Dequeue()(), addresses: null, clock);
        Assert.Equal(("", "https+http://orders: no registry"), await SearchAsync());
        Assert.Equal(("https://a:1", null), await SearchAsync());
        Assert.Equal(("https://a:1", "https+http://orders: no registry"), await SearchAsync());
        Assert.Equal(("https://a:1", "https+http://orders: nothing was found"), await SearchAsync());
        Assert.Equal(("https://a:1", "https+http://orders: ResolveNodes gave something else than an http or https URL of scheme, host and port only"), await SearchAsync());
        var hanging = SearchAsync();
        await asked.Task;
        clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(("https://a:1", "https+http://orders: no answer in time"), await hanging);
        Assert.Equal(("https://c:3", null), await SearchAsync());

        async Task<(string Urls, string? Failure)> SearchAsync()
        {
            clock.Advance(TimeSpan.FromSeconds(30));
            (string, string?) result = default;
            await finder.Search(anyway: true, (nodes, failure) => result = (string.Join(' ', nodes.Select(node => node.Url)), failure));
            return result;
        }

        static ValueTask<IReadOnlyList<Uri>> Good(params string[] urls) => ValueTask.FromResult<IReadOnlyList<Uri>>([.. urls.Select(url => new Uri(url))]);
    }

    [Fact]
    public async Task Service_name_is_resolved_before_the_first_call_and_requests_go_to_what_it_stands_for()
    {
        using var cluster = new ScriptedCluster(o =>
        {
            o.Nodes = ["https+http://orders"];
            o.ResolveNodes = (_, _) => ValueTask.FromResult<IReadOnlyList<Uri>>([new(ScriptedCluster.A), new(ScriptedCluster.B)]);
        });
        cluster.LedBy(ScriptedCluster.B);
        var client = cluster.Client;
        Assert.Equal(new Uri("https+http://orders"), client.BaseAddress);
        using var write = await client.PostAsync("/notes", new StringContent("text"));
        Assert.Equal(HttpStatusCode.OK, write.StatusCode);
        Assert.Equal(ScriptedCluster.B, cluster.Path[^1]);

        // As the handler of Microsoft.Extensions.ServiceDiscovery around it would have it.
        using var rewritten = await client.GetAsync(ScriptedCluster.A + "/notes");
        await Assert.ThrowsAsync<InvalidOperationException>(() => client.GetAsync("http://elsewhere/"));
    }

    [Theory]
    [InlineData(30, false)]
    [InlineData(1, true)]
    public async Task Call_looks_for_the_nodes_again_after_30_s_or_when_one_does_not_answer(int seconds, bool fails)
    {
        var (searches, again) = (0, new TaskCompletionSource());
        using var cluster = new ScriptedCluster(o =>
        {
            o.Nodes = ["https+http://orders"];
            o.ResolveNodes = (_, _) =>
            {
                if (++searches == 2)
                {
                    again.SetResult();
                }

                return ValueTask.FromResult<IReadOnlyList<Uri>>([new(ScriptedCluster.A), new(ScriptedCluster.B)]);
            };
        });
        await cluster.Client.GetStringAsync("/");
        cluster.Time.Advance(TimeSpan.FromSeconds(seconds));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        do
        {
            // The first call does not wait for the end of the first search, beside which no other begins.
            if (fails)
            {
                cluster.Everywhere(ScriptedCluster.Break, ScriptedCluster.Ok());
            }

            await cluster.Client.GetStringAsync("/", patience.Token);
        }
        while (!again.Task.IsCompleted);
    }

    [Fact]
    public async Task Service_name_that_stands_for_nothing_ends_within_the_deadline_and_says_so()
    {
        using var cluster = new ScriptedCluster(o =>
        {
            o.Nodes = ["https+http://orders"];
            o.ResolveNodes = (_, _) => ValueTask.FromResult<IReadOnlyList<Uri>>([]);
        });
        var error = await Assert.ThrowsAsync<LeaderRoutingException>(() => cluster.Client.PostAsync("/notes", content: null));
        Assert.Contains("no node was found", error.Message, StringComparison.Ordinal);
        Assert.Empty(cluster.Log);
    }

    [Fact]
    public async Task Two_ways_to_one_node_are_raced_by_the_handler_that_the_package_makes()
    {
        await using var node = await NodeAsync(IPAddress.Loopback, 0, context => context.Response.WriteAsync("one"));
        using var client = Client(
            [$"http://orders.test:{new Uri(node.Urls.Single()).Port}"],
            (_, _) => Task.FromResult<IPAddress[]>([IPAddress.IPv6Loopback, IPAddress.Loopback]));
        Assert.Equal("one", await client.Http.GetStringAsync("/"));
    }

    [Fact]
    public async Task Two_addresses_of_two_families_are_two_ways_to_one_node()
    {
        var finder = new NodeFinder(["http://a:1"], null, (_, _) => Task.FromResult<IPAddress[]>([IPAddress.IPv6Loopback, IPAddress.Loopback]), TimeProvider.System);
        await finder.Search(anyway: false, (nodes, _) => Assert.Equal([new FoundNode("http://a:1", "http://a:1")], nodes));
        finder = new NodeFinder(["http://a:1"], null, (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse("::2"), IPAddress.Loopback, IPAddress.Parse("::3")]), TimeProvider.System);
        await finder.Search(anyway: false, (nodes, _) => Assert.Equal(
            [new("http://[::2]:1", "http://a:1"), new("http://[::3]:1", "http://a:1"), new FoundNode("http://127.0.0.1:1", "http://a:1", IsSpare: true)], nodes));
        finder = new NodeFinder(["http://a:1"], null, (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse("::2"), _two, _three]), TimeProvider.System);
        await finder.Search(anyway: false, (nodes, _) => Assert.Equal(["http://127.0.0.2:1", "http://127.0.0.3:1"], nodes.Where(node => !node.IsSpare).Select(node => node.Url)));
    }

    [Fact]
    public async Task Nodes_behind_a_family_that_leads_nowhere_are_reached_by_the_other()
    {
        using var cluster = new ScriptedCluster();
        string[] first = ["http://[::2]:1", "http://[::3]:1"], second = ["http://127.0.0.2:1", "http://127.0.0.3:1"];
        foreach (var node in first)
        {
            cluster.On(node, ScriptedCluster.Refuse);
        }

        foreach (var node in second)
        {
            cluster.On(node, ScriptedCluster.Ok());
        }

        var options = new LeaderRoutingOptions { Nodes = ["http://orders:1"] };
        var routing = RoutingContext.Create(
            "api",
            options,
            (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse("::2"), _two, IPAddress.Parse("::3"), _three]),
            cluster.Time,
            new ClientLog(NullLogger.Instance),
            new ClientMetrics(factory: null),
            Proof.Exceptions);
        await routing.Map.FindNodesAsync(TimeSpan.FromSeconds(5), CancellationToken.None);
        using var client = new HttpClient(new LeaderRoutingHandler(routing) { InnerHandler = cluster }) { BaseAddress = new Uri("http://orders:1") };
        for (var i = 0; i < 4; i++)
        {
            await client.GetStringAsync("/");
        }

        Assert.Equal(2, cluster.Path.Count(node => first.Contains(node)));
        Assert.Equal(second, cluster.Path.Where(node => second.Contains(node)).Distinct().Order());

        // In working order the second family is left alone.
        foreach (var node in first)
        {
            cluster.On(node, ScriptedCluster.Ok());
        }

        cluster.Time.Advance(TimeSpan.FromSeconds(1));
        await client.GetStringAsync("/");
        await client.GetStringAsync("/");
        cluster.Forget();
        for (var i = 0; i < 4; i++)
        {
            await client.GetStringAsync("/");
        }

        Assert.Equal(first, cluster.Path.Distinct().Order());
    }

    [Fact]
    public async Task Name_that_had_https_does_not_lose_it()
    {
        var clock = new FakeTimeProvider();
        var answers = new Queue<Uri[]>([[new("http://a:1"), new("https://a:2")], [new("http://a:1")], [new("https://b:2")]]);
        var finder = new NodeFinder(["https+http://orders"], (_, _) => ValueTask.FromResult<IReadOnlyList<Uri>>(answers.Dequeue()), addresses: null, clock);
        Assert.Equal(("https://a:2", null), await SearchAsync());
        Assert.Equal(("https://a:2", "https+http://orders: ResolveNodes gave no https URL any more"), await SearchAsync());
        Assert.Equal(("https://b:2", null), await SearchAsync());

        async Task<(string Urls, string? Failure)> SearchAsync()
        {
            clock.Advance(TimeSpan.FromSeconds(30));
            (string, string?) result = default;
            await finder.Search(anyway: true, (nodes, failure) => result = (string.Join(' ', nodes.Select(node => node.Url)), failure));
            return result;
        }
    }

    [Fact]
    public async Task First_call_does_not_wait_for_a_name_that_is_not_found_while_another_is()
    {
        var hanging = new TaskCompletionSource<IReadOnlyList<Uri>>();
        using var cluster = new ScriptedCluster(o =>
        {
            o.Nodes = ["https+http://slow", "https+http://orders"];
            o.ResolveNodes = (name, _) => name.Host == "slow" ? new(hanging.Task) : ValueTask.FromResult<IReadOnlyList<Uri>>([new(ScriptedCluster.A)]);
        });
        await cluster.Client.GetStringAsync("/").WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Empty(cluster.Time.Delays);
        hanging.SetResult([new(ScriptedCluster.B)]);
    }

    [Fact]
    public void Addresses_are_left_to_a_handler_with_a_password_and_to_one_that_is_not_the_runtimes()
    {
        using var plain = new SocketsHttpHandler();
        using var password = new SocketsHttpHandler { Credentials = new CredentialCache() };
        using var other = new HttpClientHandler();
        Assert.NotNull(PrimaryHandler.AddressesOf(plain));
        Assert.Null(PrimaryHandler.AddressesOf(password));
        Assert.Null(PrimaryHandler.AddressesOf(other));
    }

    [Fact]
    public async Task Addresses_are_left_to_a_proxy()
    {
        using var handler = new SocketsHttpHandler { Proxy = new WebProxy("http://proxy.test:1") };
        var addresses = PrimaryHandler.AddressesOf(handler, (_, _) => throw new InvalidOperationException("Asked."));
        Assert.Empty(await addresses!(new Uri("http://orders.test"), CancellationToken.None));

        // The name goes past it, and its addresses would not.
        using var partly = new SocketsHttpHandler { Proxy = new WebProxy("http://proxy.test:1") { BypassList = [@"orders\.test"] } };
        addresses = PrimaryHandler.AddressesOf(partly, (_, _) => Task.FromResult<IPAddress[]>([_two, _three]));
        Assert.Empty(await addresses!(new Uri("http://orders.test"), CancellationToken.None));
    }

    [Fact]
    public async Task Leader_that_is_gone_is_forgotten_and_a_name_of_several_nodes_is_none()
    {
        var clock = new FakeTimeProvider();
        IPAddress[] found = [_two, _three];
        var finder = new NodeFinder(["http://a:1"], null, (_, _) => Task.FromResult(found), clock);
        var map = new ClusterMap(["http://a:1"], finder, trustReported: true, clock, new ClientLog(NullLogger.Instance), new ClientMetrics(factory: null));
        await map.FindNodesAsync(TimeSpan.FromSeconds(5), CancellationToken.None);
        Assert.Null(map.Learn("http://a:1", 7, map.Configured[0]));
        Assert.NotNull(map.Learn("http://127.0.0.2:1", 7, map.Configured[0]));
        Assert.Equal("http://127.0.0.2:1", map.LeaderNow?.Url);
        found = [_three, _four];
        clock.Advance(TimeSpan.FromSeconds(30));
        await map.FindNodesAsync(TimeSpan.FromSeconds(5), CancellationToken.None);
        Assert.Null(map.LeaderNow);
    }

    [Fact]
    public async Task Name_with_https_never_stands_for_nodes_without()
    {
        var finder = new NodeFinder(["https://orders"], (_, _) => ValueTask.FromResult<IReadOnlyList<Uri>>([new("http://a:1")]), addresses: null, TimeProvider.System);
        await finder.Search(anyway: false, (nodes, _) => Assert.Equal([new FoundNode("https://orders", "https://orders")], nodes));
    }

    // The first call uses the name as it is; the search runs beside it.
    private static Task SettleAsync(Made client) => client.Map.FindNodesAsync(TimeSpan.FromSeconds(5), CancellationToken.None);

    private static Made Client(
        string[] nodes,
        Func<string, CancellationToken, Task<IPAddress[]>> resolve,
        Action<LeaderRoutingOptions>? configure = null,
        TestAuthority? trust = null,
        HttpProtocols protocols = HttpProtocols.Http1)
    {
        var options = new LeaderRoutingOptions { Nodes = nodes };
        configure?.Invoke(options);
        var primary = PrimaryHandler.Create(options, resolve);
        primary.UseProxy = false;
        primary.SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = trust is null ? null : TestAuthority.Policy(trust.Root) };
        var proof = PrimaryHandler.Check("api", primary);
        var routing = RoutingContext.Create(
            "api", options, PrimaryHandler.AddressesOf(primary, resolve), TimeProvider.System, new ClientLog(NullLogger.Instance), new ClientMetrics(factory: null), proof);
        var http = new HttpClient(new LeaderRoutingHandler(routing) { InnerHandler = primary })
        {
            BaseAddress = new Uri(nodes[0]),
            DefaultRequestVersion = protocols == HttpProtocols.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
        };
        return new Made(http, routing.Map);
    }

    private static async Task<WebApplication> NodeAsync(
        IPAddress address,
        int port,
        RequestDelegate handler,
        System.Security.Cryptography.X509Certificates.X509Certificate2? certificate = null,
        HttpProtocols protocols = HttpProtocols.Http1,
        ConcurrentBag<string?>? names = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(address, port, listen =>
        {
            listen.Protocols = protocols;
            if (certificate is not null)
            {
                listen.UseHttps(https => https.ServerCertificateSelector = (_, name) =>
                {
                    names?.Add(name);
                    return certificate;
                });
            }
        }));
        var app = builder.Build();
        app.Run(handler);
        await app.StartAsync();
        return app;
    }

    private sealed record Made(HttpClient Http, ClusterMap Map) : IDisposable
    {
        public void Dispose() => Http.Dispose();
    }
}
