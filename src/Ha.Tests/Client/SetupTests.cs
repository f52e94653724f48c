using System.Net;
using System.Net.Sockets;
using System.Text;
using Ha.Client;
using Ha.Client.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Client;

public class SetupTests
{
    [Fact]
    public void Primary_handler_is_made_without_redirects_and_with_a_connect_timeout()
    {
        var primary = Assert.IsType<SocketsHttpHandler>(Primary(_ => { }));
        Assert.False(primary.AllowAutoRedirect);
        Assert.False(primary.UseCookies);
        Assert.Equal(TimeSpan.FromSeconds(2), primary.ConnectTimeout);
        Assert.Equal(TimeSpan.FromSeconds(10), primary.Expect100ContinueTimeout);
        Assert.Equal(TimeSpan.FromSeconds(30), primary.PooledConnectionLifetime);
        Assert.Equal((TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(2)), (primary.KeepAlivePingDelay, primary.KeepAlivePingTimeout));
        Assert.Equal(HttpKeepAlivePingPolicy.WithActiveRequests, primary.KeepAlivePingPolicy);
    }

    [Fact]
    public void Primary_handler_can_be_adjusted()
    {
        var primary = Assert.IsType<SocketsHttpHandler>(Primary(b => b.UseSocketsHttpHandler((handler, _) => handler.MaxConnectionsPerServer = 7)));
        Assert.Equal((7, false), (primary.MaxConnectionsPerServer, primary.AllowAutoRedirect));
    }

    public static TheoryData<Func<HttpMessageHandler>, string> Dangerous => new()
    {
        { () => new SocketsHttpHandler(), "Set AllowAutoRedirect = false on the SocketsHttpHandler" },
        { () => new HttpClientHandler(), "Set AllowAutoRedirect = false on the HttpClientHandler" },
        { () => new SocketsHttpHandler { AllowAutoRedirect = false }, "set UseCookies = false on the SocketsHttpHandler" },
        { () => new HttpClientHandler { AllowAutoRedirect = false }, "set UseCookies = false on the HttpClientHandler" },
        { () => new Counting(() => { }) { InnerHandler = new HttpClientHandler { AllowAutoRedirect = false } }, "set UseCookies = false" },
        { () => Bare(new NetworkCredential("user", "secret")), "Set a CredentialCache that names the nodes" },
        { () => new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false, UseDefaultCredentials = true }, "Set a CredentialCache" },
    };

    [Theory]
    [MemberData(nameof(Dangerous))]
    public void Primary_handler_that_redirects_or_hands_out_cookies_or_passwords_by_itself_is_refused(Func<HttpMessageHandler> make, string message)
    {
        var error = Assert.Throws<InvalidOperationException>(() => Primary(b => b.ConfigurePrimaryHttpMessageHandler(make)));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains("client 'api'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Primary_handler_of_the_app_is_taken_when_it_does_not()
    {
        Primary(b => b.ConfigurePrimaryHttpMessageHandler(() => new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false }));
        Primary(b => b.ConfigurePrimaryHttpMessageHandler(() => Bare(new CredentialCache { { new Uri("http://a:1"), "Basic", new("user", "secret") } })));
    }

    [Fact]
    public void Selector_of_the_app_still_decides_beside_the_mark()
    {
        var handler = Bare(credentials: null);
        handler.RequestHeaderEncodingSelector = (header, _) => header == "X-Other" ? Encoding.UTF8 : null;
        Assert.Equal(Proof.Mark, PrimaryHandler.Check("api", handler));
        Assert.Equal(Proof.Mark, PrimaryHandler.Check("api", handler));
        var mark = new SentMark();
        using var request = new HttpRequestMessage(HttpMethod.Post, "http://a") { Headers = { { "X-Other", "ä" } } };
        mark.Attach(request, new RequestBody(null, isWrite: true, 0));
        Assert.Equal(Encoding.UTF8, handler.RequestHeaderEncodingSelector!("X-Other", request));
        Assert.Null(handler.RequestHeaderEncodingSelector!("X-More", request));
        Assert.True(mark.Sent);
    }

    [Fact]
    public async Task Primary_handler_that_is_in_use_already_proves_less()
    {
        await using var server = new RawServer((_, _, stream) => RawServer.OkAsync(stream));
        using var handler = Bare(credentials: null);
        using var other = new HttpClient(handler, disposeHandler: false);
        using var response = await other.GetAsync(new Uri(server.Url));
        Assert.Equal(Proof.RuntimeExceptions, PrimaryHandler.Check("api", handler));
    }

    [Fact]
    public async Task Handlers_of_the_app_stand_outside_and_run_once_a_call_wherever_they_were_added()
    {
        var calls = 0;
        using var cluster = new ScriptedCluster(services: services =>
            services.AddHttpClient("api").AddHttpMessageHandler(() => new Counting(() => calls++)).AddLeaderRouting(_ => { }));
        cluster.Everywhere(ScriptedCluster.Problem(503, "no leader"), ScriptedCluster.Ok());
        using var response = await cluster.Client.PostAsync("/notes", content: null);
        Assert.Equal((1, 2), (calls, cluster.Log.Count));
    }

    [Fact]
    public void Base_address_is_the_first_node_unless_the_client_has_one()
    {
        Assert.Equal(new Uri("http://a:1"), Build(_ => { }).CreateClient("api").BaseAddress);
        var own = Build(b => b.ConfigureHttpClient(http => http.BaseAddress = new Uri("http://b:2/v1/")));
        Assert.Equal(new Uri("http://b:2/v1/"), own.CreateClient("api").BaseAddress);
    }

    [Fact]
    public void Other_clients_are_left_alone()
    {
        var services = new ServiceCollection();
        services.AddHttpClient("api").AddLeaderRouting(o => o.Nodes = ["http://a"]);
        services.AddHttpClient("other");
        using var provider = services.BuildServiceProvider();
        var primary = Innermost(provider.GetRequiredService<IHttpMessageHandlerFactory>().CreateHandler("other"));
        Assert.True(Assert.IsType<SocketsHttpHandler>(primary).AllowAutoRedirect);
        Assert.Null(provider.GetRequiredService<IHttpClientFactory>().CreateClient("other").BaseAddress);
    }

    [Fact]
    public async Task Relative_url_without_a_client_to_complete_it_is_called_one()
    {
        var services = new ServiceCollection();
        services.AddHttpClient("api").AddLeaderRouting(o => o.Nodes = ["http://a"]);
        await using var provider = services.BuildServiceProvider();
        using var invoker = new HttpMessageInvoker(provider.GetRequiredService<IHttpMessageHandlerFactory>().CreateHandler("api"));
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/x", UriKind.Relative));

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => invoker.SendAsync(request, CancellationToken.None));

        Assert.Equal("Client 'api' got a relative URL and no BaseAddress, which an HttpClient of the factory has: put one of its Nodes before it.", error.Message);
    }

    public static TheoryData<Action<LeaderRoutingOptions>, string> Wrong => new()
    {
        { o => o.Nodes = [], "Nodes must hold 1 to 64 base URLs" },
        { o => o.Nodes = ["node-1:8080"], "'node-1:8080' must be an http or https URL" },
        { o => o.Nodes = ["http://a/path"], "'http://a/path' must be" },
        { o => o.Nodes = ["http://a?x"], "'http://a?x' must be" },
        { o => o.Nodes = ["http://user:secret@a"], "'***@a' must be" },
        { o => o.Nodes = ["http://a", "https://b"], "all http or all https" },
        { o => o.ConnectTimeout = TimeSpan.Zero, "ConnectTimeout (00:00:00) must be between" },
        { o => (o.ConnectTimeout, o.AttemptTimeout) = (TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(1)), "ConnectTimeout (00:00:02) must not be longer than AttemptTimeout (00:00:01)" },
        { o => o.AttemptTimeout = TimeSpan.FromSeconds(31), "AttemptTimeout (00:00:31) must not be longer than Deadline (00:00:30)" },
        { o => (o.AttemptTimeout, o.Deadline) = (TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(9)), "AttemptTimeout (00:00:10) must not be longer than Deadline (00:00:09)" },
        { o => o.Deadline = TimeSpan.FromDays(2), "Deadline (2.00:00:00) must be between 00:00:00.0100000 and" },
        { o => o.Deadline = Timeout.InfiniteTimeSpan, "Deadline (" },
        { o => o.MaxBufferedBodyBytes = -1, "MaxBufferedBodyBytes (-1) must be between 0 and" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Wrong_option_is_refused_with_its_name_value_and_range(Action<LeaderRoutingOptions> change, string message)
    {
        var services = new ServiceCollection();
        services.AddHttpClient("api").AddLeaderRouting(options =>
        {
            options.Nodes = ["http://a"];
            change(options);
        });
        using var provider = services.BuildServiceProvider();
        var error = Assert.Throws<OptionsValidationException>(() => provider.GetRequiredService<IHttpClientFactory>().CreateClient("api"));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains("client 'api'", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Default_that_is_longer_than_what_is_set_gives_way()
    {
        var options = new LeaderRoutingOptions { Nodes = ["http://a"], Deadline = TimeSpan.FromSeconds(5) };
        Assert.Empty(LeaderRoutingOptionsValidator.Errors(options));
        Assert.Equal((5, 2), (options.AttemptTimeout.TotalSeconds, options.ConnectTimeout.TotalSeconds));
        options.Deadline = TimeSpan.FromSeconds(1);
        Assert.Empty(LeaderRoutingOptionsValidator.Errors(options));
        Assert.Equal((1, 1), (options.AttemptTimeout.TotalSeconds, options.ConnectTimeout.TotalSeconds));
        options = new LeaderRoutingOptions { Nodes = ["http://a"] };
        Assert.Equal((10, 2), (options.AttemptTimeout.TotalSeconds, options.ConnectTimeout.TotalSeconds));
    }

    [Fact]
    public void Clients_share_what_they_know_of_a_cluster_unless_one_goes_another_way_to_it()
    {
        var services = new ServiceCollection();
        services.AddHttpClient("one").AddLeaderRouting(o => o.Nodes = ["http://a"]);
        services.AddHttpClient("two").AddLeaderRouting(o => o.Nodes = ["http://A:80/"]);
        services.AddHttpClient("proxied").AddLeaderRouting(o => o.Nodes = ["http://a"])
            .UseSocketsHttpHandler((handler, _) => handler.Proxy = new WebProxy("http://proxy.test:1"));
        services.AddHttpClient("trusting").AddLeaderRouting(o => (o.Nodes, o.TrustReportedLeaders) = (["http://a"], true));
        using var provider = services.BuildServiceProvider();
        var maps = new[] { "one", "two", "proxied", "trusting" }.ToDictionary(name => name, MapOf);
        Assert.Same(maps["one"], maps["two"]);
        Assert.Equal(3, maps.Values.Distinct().Count());

        ClusterMap MapOf(string client)
        {
            var handler = provider.GetRequiredService<IHttpMessageHandlerFactory>().CreateHandler(client);
            while (handler is DelegatingHandler delegating and not LeaderRoutingHandler)
            {
                handler = delegating.InnerHandler!;
            }

            return ((LeaderRoutingHandler)handler).Map;
        }
    }

    [Theory]
    [InlineData("HTTP://Node-1:80/", "http://node-1")]
    [InlineData("https://node-1:443", "https://node-1")]
    [InlineData("http://[::1]:8080", "http://[::1]:8080")]
    [InlineData("http://bücher.test:1", "http://xn--bcher-kva.test:1")]
    [InlineData("http://a\\@evil.test", null)]
    [InlineData("ftp://a", null)]
    [InlineData("http://a#b", null)]
    public void Nodes_are_compared_in_one_spelling(string text, string? expected) =>
        Assert.Equal(expected, MemberUrl.TryParse(text, out var url) ? url : null);

    [Fact]
    public void Mark_claims_no_proof_for_a_request_without_headers()
    {
        Assert.False(Mark(content: null).Tells);
        Assert.True(Mark(new ByteArrayContent([])).Tells);
        Assert.True(Mark(new StringContent("")).Tells);
        var broken = new HttpRequestException("broken", new IOException());
        var refused = new HttpRequestException(HttpRequestError.ConnectionError, "refused");
        Assert.False(Failure.NothingWasSent(broken, Mark(content: null), Proof.Mark, timedOut: false));
        Assert.True(Failure.NothingWasSent(refused, Mark(content: null), Proof.Mark, timedOut: false));
        Assert.True(Failure.NothingWasSent(broken, Mark(new ByteArrayContent([])), Proof.Mark, timedOut: true));

        static SentMark Mark(HttpContent? content)
        {
            var mark = new SentMark();
            using var request = new HttpRequestMessage(HttpMethod.Post, "http://a") { Content = content };
            mark.Attach(request, new RequestBody(content, isWrite: true, 0));
            return mark;
        }
    }

    [Theory]
    [InlineData(Proof.Exceptions, false)]
    [InlineData(Proof.RuntimeExceptions, true)]
    public void Failed_connects_in_the_runtimes_words_are_believed_of_its_handlers_only(object proof, bool nothingSent)
    {
        var timeout = new TaskCanceledException("canceled", new TimeoutException());
        var reset = new SocketException((int)SocketError.NotConnected);
        foreach (var failure in new Exception[] { timeout, reset })
        {
            Assert.True(Failure.IsOfTransport(failure, CancellationToken.None));
            Assert.Equal(nothingSent, Failure.NothingWasSent(failure, new SentMark(), (Proof)proof, timedOut: false));
            Assert.False(Failure.NothingWasSent(failure, new SentMark(), (Proof)proof, timedOut: true));
        }
    }

    private static SocketsHttpHandler Bare(ICredentials? credentials) =>
        new() { AllowAutoRedirect = false, UseCookies = false, Credentials = credentials };

    private static HttpMessageHandler Primary(Action<IHttpClientBuilder> configure)
    {
        var services = new ServiceCollection();
        configure(services.AddHttpClient("api").AddLeaderRouting(o => o.Nodes = ["http://a:1"]));
        var provider = services.BuildServiceProvider();
        return Innermost(provider.GetRequiredService<IHttpMessageHandlerFactory>().CreateHandler("api"));
    }

    private static IHttpClientFactory Build(Action<IHttpClientBuilder> configure)
    {
        var services = new ServiceCollection();
        configure(services.AddHttpClient("api").AddLeaderRouting(o => o.Nodes = ["http://a:1", "http://b:2"]));
        return services.BuildServiceProvider().GetRequiredService<IHttpClientFactory>();
    }

    private static HttpMessageHandler Innermost(HttpMessageHandler handler)
    {
        while (handler is DelegatingHandler { InnerHandler: { } inner })
        {
            handler = inner;
        }

        return handler;
    }

    private sealed class Counting(Action count) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            count();
            return base.SendAsync(request, cancellationToken);
        }
    }
}
