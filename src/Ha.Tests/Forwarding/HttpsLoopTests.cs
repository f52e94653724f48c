using System.Net;
using Ha.Forwarding.Proxy;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Forwarding;

/// <summary>A leader with <c>UseHttpsRedirection</c> behind http members; docs/middleware.md says what helps.</summary>
public sealed class HttpsLoopTests
{
    [Theory]
    [InlineData(307, "https://shop.example/x?a=%20", true)]
    [InlineData(308, "https://SHOP.example:8443/x?a=%20", true)]
    [InlineData(302, "https://shop.example/x?a=%20", false)]
    [InlineData(307, "http://shop.example/x?a=%20", false)]
    [InlineData(307, "https://shop.example/y?a=%20", false)]
    [InlineData(307, "https://shop.example/x", false)]
    [InlineData(307, "https://other.example/x?a=%20", false)]
    [InlineData(307, "/x?a=%20", false)]
    [InlineData(307, null, false)]
    public void Only_a_redirect_to_the_same_place_over_https_closes_the_loop(int status, string? location, bool closed)
    {
        using var answer = new HttpResponseMessage((HttpStatusCode)status);
        answer.Headers.TryAddWithoutValidation("Location", location);

        Assert.Equal(closed, HttpsLoop.IsClosedBy(answer, Request("https")));
        Assert.False(HttpsLoop.IsClosedBy(answer, Request("http")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task It_is_logged_once_with_its_remedy(bool behindBalancer)
    {
        using var authority = new TestAuthority();
        using var certificate = authority.Issue("localhost").Load();
        await using var leader = await TestNode.LeaderAsync(
            app =>
            {
                app.UseHttpsRedirection();
                app.MapPost("/x", () => "never");
            },
            new TestNodeSetup { Builder = builder => builder.Services.AddHttpsRedirection(https => https.HttpsPort = 443) });
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup { Certificate = behindBalancer ? null : certificate });
        using var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false };
        handler.SslOptions.CertificateChainPolicy = TestAuthority.Policy(authority.Root);
        using var client = new HttpClient(handler);
        if (behindBalancer)
        {
            client.DefaultRequestHeaders.Add("X-Forwarded-Proto", "https");
        }

        for (var time = 0; time < 2; time++)
        {
            using var answer = await client.PostAsync(follower.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal) + "/x", content: null);
            Assert.Equal("https://localhost/x", answer.Header("Location"));
        }

        var said = Assert.Single(follower.Logs.Entries, entry => entry.Id == 1210).Text;
        Assert.Contains(leader.Url, said, StringComparison.Ordinal);
        Assert.Contains("UseForwardedHeaders", said, StringComparison.Ordinal);
    }

    private static DefaultHttpContext Request(string scheme)
    {
        var context = new DefaultHttpContext();
        (context.Request.Scheme, context.Request.Host) = (scheme, new HostString("shop.example"));
        (context.Request.Path, context.Request.QueryString) = ("/x", new QueryString("?a=%20"));
        return context;
    }
}
