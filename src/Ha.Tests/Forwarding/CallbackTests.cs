using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Forwarding;

/// <summary>
/// A POST that a middleware answers, as the callback of an OpenID Connect login: where it runs depends on the order, and
/// an endpoint at its path can say so; docs/applications.md says the same.
/// </summary>
public sealed class CallbackTests
{
    private const string Path = "/signin-oidc";

    [Theory]
    [InlineData("POST", Order.LeftToWebApplication, "follower")]
    [InlineData("POST", Order.Before, "follower")]
    [InlineData("POST", Order.After, "leader")]
    [InlineData("GET", Order.After, "follower")]
    [InlineData("GET", Order.AfterWithEndpoint, "leader")]
    public async Task A_callback_runs_where_the_pipeline_says(string method, Order order, string where)
    {
        await using var leader = await TestNode.LeaderAsync(Endpoints(order), Setup("leader", order));
        await using var follower = await TestNode.ProxyAsync(leader.Url, Setup("follower", order) with { App = Endpoints(order) });
        using var client = TestNode.Client();
        using var request = new HttpRequestMessage(new HttpMethod(method), follower.Url + Path);

        using var answer = await client.SendAsync(request);

        Assert.Equal(where, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Where <c>UseAuthentication()</c> stands.</summary>
    public enum Order
    {
        LeftToWebApplication,
        Before,
        After,
        AfterWithEndpoint,
    }

    private static TestNodeSetup Setup(string id, Order order) => new()
    {
        AfterRouting = true,
        Builder = builder =>
        {
            builder.Services.AddSingleton(new Node(id));
            builder.Services.AddAuthentication("oidc").AddScheme<AuthenticationSchemeOptions, CallbackScheme>("oidc", null);
        },
        Before = app =>
        {
            if (order == Order.Before)
            {
                app.UseAuthentication();
            }
        },
    };

    private static Action<WebApplication> Endpoints(Order order) => app =>
    {
        if (order is Order.After or Order.AfterWithEndpoint)
        {
            app.UseAuthentication();
        }

        if (order == Order.AfterWithEndpoint)
        {
            app.Map(Path, () => Results.NotFound()).RequireLeader();
        }
    };

    private sealed record Node(string Id);

    /// <summary>Answers its path by itself, as remote authentication does.</summary>
    private sealed class CallbackScheme(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, Node node)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder), IAuthenticationRequestHandler
    {
        public async Task<bool> HandleRequestAsync()
        {
            if (Request.Path != Path)
            {
                return false;
            }

            await Response.WriteAsync(node.Id);
            return true;
        }

        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(AuthenticateResult.NoResult());
    }
}
