using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Hosting;

/// <summary><c>BASE_STATIC_LEADER</c> from end to end.</summary>
public class FixedLeaderTests
{
    [Fact]
    public async Task The_fixed_leader_takes_writes_and_others_redirect_to_it()
    {
        await using var leader = await StartAsync(TestApp.FixedLeader);
        using var leaderClient = leader.GetTestClient();
        using var written = await leaderClient.PostAsync(new Uri("/notes", UriKind.Relative), new StringContent("x"));
        Assert.Equal(HttpStatusCode.OK, written.StatusCode);

        await using var follower = await StartAsync(TestApp.FixedFollower);
        using var client = follower.GetTestClient();
        using var redirected = await client.PostAsync(new Uri("/notes?a=b", UriKind.Relative), new StringContent("x"));
        Assert.Equal(HttpStatusCode.TemporaryRedirect, redirected.StatusCode);
        Assert.Equal("http://b:1/notes?a=b", redirected.Headers.Location!.OriginalString);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task UseHa_decides_where_it_stands_instead_of_first(bool callsUseHa)
    {
        await using var app = TestApp.Create(TestApp.FixedFollower);
        var passed = 0;
        app.Use((context, next) =>
        {
            passed++;
            return next(context);
        });
        if (callsUseHa)
        {
            app.UseHa();
        }

        app.MapPost("/notes", () => "x");
        await app.StartAsync();
        using var client = app.GetTestClient();
        using var redirected = await client.PostAsync(new Uri("/notes", UriKind.Relative), new StringContent("x"));
        Assert.Equal((HttpStatusCode.TemporaryRedirect, callsUseHa ? 1 : 0), (redirected.StatusCode, passed));

        using var leader = await client.GetAsync(new Uri("/_ha/leader", UriKind.Relative));
        Assert.Equal((HttpStatusCode.OK, callsUseHa ? 1 : 0), (leader.StatusCode, passed));
    }

    [Theory]
    [InlineData("Development")]
    [InlineData("Production")]
    public async Task A_handler_that_refuses_becomes_the_middlewares_answer_with_AddHa_alone(string environment)
    {
        await using var app = TestApp.Create([.. TestApp.FixedLeader, ("BASE_WRITE_HOLD", "0")], builder =>
        {
            builder.Environment.EnvironmentName = environment;
            builder.Services.AddProblemDetails();
        });
        app.UseExceptionHandler();
        app.MapPost("/notes", string () => throw new NotLeaderException());
        await app.StartAsync();
        using var client = app.GetTestClient();
        using var answer = await client.PostAsync(new Uri("/notes", UriKind.Relative), new StringContent("x"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Contains("\"error\"", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_endpoints_show_the_fixed_leader()
    {
        await using var follower = await StartAsync(TestApp.FixedFollower);
        using var client = follower.GetTestClient();
        var leader = JsonDocument.Parse(await client.GetStringAsync(new Uri("/_ha/leader", UriKind.Relative))).RootElement;
        Assert.Equal(("http://b:1", "static", false), (
            leader.GetProperty("leader_url").GetString(), leader.GetProperty("quorum").GetString(), leader.GetProperty("is_self").GetBoolean()));
        var peers = JsonDocument.Parse(await client.GetStringAsync(new Uri("/_ha/peers", UriKind.Relative))).RootElement;
        Assert.Equal("leader follower", string.Join(' ', peers.EnumerateArray().Select(peer => peer.GetProperty("role").GetString())));
        using var heartbeat = await client.PostAsync(new Uri("/_ha/heartbeat", UriKind.Relative), new StringContent("{}"));
        Assert.Equal(HttpStatusCode.PreconditionFailed, heartbeat.StatusCode);
        Assert.Contains("\"error\":\"fixed_leader\"", await heartbeat.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var get = await client.GetAsync(new Uri("/_ha/heartbeat", UriKind.Relative));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, get.StatusCode);
    }

    private static async Task<WebApplication> StartAsync((string Key, string? Value)[] variables)
    {
        var app = TestApp.Create(variables);
        app.MapPost("/notes", () => Results.Ok());
        await app.StartAsync();
        return app;
    }
}
