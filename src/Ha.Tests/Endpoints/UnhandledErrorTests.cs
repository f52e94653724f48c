using System.Net;
using Ha.Forwarding;
using Ha.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Endpoints;

/// <summary>Answers on a real server that the application did not finish itself.</summary>
public sealed class UnhandledErrorTests
{
    [Theory]
    [InlineData(HttpProtocols.Http1, 500, true)]
    [InlineData(HttpProtocols.Http1, 500, false)]
    [InlineData(HttpProtocols.Http2, 500, true)]
    [InlineData(HttpProtocols.Http1, 413, true)]
    [InlineData(HttpProtocols.Http2, 413, true)]
    public async Task An_exception_that_nobody_handles_has_the_headers_of_every_answer(HttpProtocols protocol, int status, bool waits)
    {
        await using var node = new TestNode
        {
            App = context =>
            {
                context.Response.Headers["X-Prepared"] = "yes";
                Exception failure = status == 500 ? new InvalidOperationException("x") : new Microsoft.AspNetCore.Http.BadHttpRequestException("too large", status);
                return waits ? FailAsync(failure) : throw failure;
            },
        };
        await using var app = await StartAsync(node, protocol);
        using var client = Client(app, protocol);

        using var answer = await client.GetAsync("/");

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("node-b", answer.Headers.GetValues(HaHeaders.Node).Single());
        Assert.Equal("https://node-a.example", answer.Headers.GetValues(HaHeaders.Leader).Single());
        Assert.False(answer.Headers.Contains("X-Prepared"));
        Assert.Empty(await answer.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task Half_an_answer_is_still_broken_off()
    {
        await using var node = new TestNode
        {
            App = async context =>
            {
                context.Response.ContentLength = 100;
                await context.Response.WriteAsync("half");
                await context.Response.Body.FlushAsync();
                throw new InvalidOperationException("x");
            },
        };
        await using var app = await StartAsync(node, HttpProtocols.Http1);
        using var client = Client(app, HttpProtocols.Http1);

        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetStringAsync("/"));
    }

    [Theory]
    [InlineData(307)]
    [InlineData(503)]
    public async Task An_answer_that_clears_what_stands_there_is_still_the_last_of_a_process_that_leaves(int status)
    {
        using var leaving = new CancellationTokenSource();
        await leaving.CancelAsync();
        await using var node = new TestNode
        {
            Stopping = leaving.Token,
            App = context => status == 307 ? RedirectAnswer.WriteAsync(context, "http://next", epoch: 2) : Refusals.Stopping.WriteAsync(context, mark: true),
        };
        await using var app = await StartAsync(node, HttpProtocols.Http1);
        using var client = Client(app, HttpProtocols.Http1);

        using var answer = await client.PostAsync("/", new StringContent("x"));

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.True(answer.Headers.ConnectionClose);
    }

    private static async Task FailAsync(Exception failure)
    {
        await Task.Yield();
        throw failure;
    }

    private static async Task<WebApplication> StartAsync(TestNode node, HttpProtocols protocol)
    {
        var app = WebApplication.CreateSlimBuilder().Build();
        node.Configure(app);
        ((IApplicationBuilder)app).ServerFeatures.Get<IServerAddressesFeature>()!.Addresses.Add("http://127.0.0.1:0");
        app.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.ConfigureEndpointDefaults(listen => listen.Protocols = protocol);
        await app.StartAsync();
        return app;
    }

    private static HttpClient Client(WebApplication app, HttpProtocols protocol) => new(new SocketsHttpHandler { AllowAutoRedirect = false })
    {
        BaseAddress = new Uri(app.Urls.Single()),
        DefaultRequestVersion = protocol == HttpProtocols.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };
}
