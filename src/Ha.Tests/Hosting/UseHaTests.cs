using System.Net;
using Ha.Http;
using Ha.Tests.Forwarding;
using Ha.Tests.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Rewrite;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Hosting;

public class UseHaTests
{
    public static TheoryData<bool> ActiveOrNot => [false, true];

    [Theory]
    [MemberData(nameof(ActiveOrNot))]
    public async Task Metadata_without_UseHa_stops_the_start_and_names_the_call(bool active)
    {
        await using var app = TestApp.Create(active ? TestApp.FixedLeader : TestApp.Inactive);
        app.MapGet("/fresh", () => "x").WithMetadata(new MarkAttribute());
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => app.StartAsync());
        Assert.Contains("'HTTP: GET /fresh' carries Mark, which has no effect without app.UseHa()", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(ActiveOrNot))]
    public async Task Metadata_with_UseHa_starts(bool active)
    {
        await using var app = TestApp.Create(active ? TestApp.FixedLeader : TestApp.Inactive);
        app.UseHa();
        app.MapGet("/fresh", () => "x").WithMetadata(new MarkAttribute());
        await app.StartAsync();
        using var client = app.GetTestClient();
        Assert.Equal("x", await client.GetStringAsync(new Uri("/fresh", UriKind.Relative)));
    }

    [Fact]
    public async Task UseHa_before_UseRouting_stops_the_start_when_metadata_counts()
    {
        await using var app = TestApp.Create(TestApp.Inactive);
        app.UseHa();
        app.UseRouting();
        app.MapGet("/fresh", () => "x").WithMetadata(new MarkAttribute());
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => app.StartAsync());
        Assert.Contains("call it after app.UseRouting()", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UseHa_after_UseRouting_starts()
    {
        await using var app = TestApp.Create(TestApp.Inactive);
        app.UseRouting();
        app.UseHa();
        app.MapGet("/fresh", () => "x").WithMetadata(new MarkAttribute());
        await app.StartAsync();
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public async Task A_classic_startup_is_checked_alike(bool callsUseHa, bool starts)
    {
        using var host = new HostBuilder()
            .ConfigureWebHost(web => web
                .UseTestServer()
                .ConfigureServices(services => services.AddRouting().AddHa())
                .Configure(app =>
                {
                    app.UseRouting();
                    if (callsUseHa)
                    {
                        app.UseHa();
                    }

                    app.UseEndpoints(endpoints => endpoints.MapGet("/fresh", () => "x").WithMetadata(new MarkAttribute()));
                }))
            .Build();
        if (starts)
        {
            await host.StartAsync();
        }
        else
        {
            var error = await Assert.ThrowsAsync<InvalidOperationException>(() => host.StartAsync());
            Assert.Contains("app.UseHa()", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_refusal_in_a_branch_without_UseHa_is_no_success()
    {
        await using var app = TestApp.Create(
            TestApp.FixedLeader, builder => builder.Services.AddControllers().AddApplicationPart(typeof(RefusingController).Assembly));
        app.UseWhen(context => context.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase), api => api.UseHa());
        app.MapControllers();
        await app.StartAsync();
        using var client = app.GetTestClient();

        using var answer = await client.PostAsync(new Uri("/refusing", UriKind.Relative), content: null);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Contains("\"error\":\"not leader\"", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.True(answer.Headers.Contains("X-Base-Not-Executed"));
    }

    [Theory]
    [InlineData(true, true, true)]
    [InlineData(true, false, true)]
    [InlineData(false, true, false)]
    public async Task A_hub_that_does_not_say_where_it_runs_is_named_once_with_both_remedies(bool active, bool callsUseHa, bool warns)
    {
        using var logs = new RecordedLogs();
        await using var app = TestApp.Create(active ? TestApp.FixedFollower : TestApp.Inactive, builder =>
        {
            builder.Services.AddSignalR();
            builder.Services.AddSingleton<ILoggerFactory>(logs);
        });
        if (callsUseHa)
        {
            app.UseHa();
            app.MapHub<EmptyHub>("/leaders").RequireLeader();
            app.MapHub<EmptyHub>("/any").AllowOnAnyNode();
        }

        app.MapHub<EmptyHub>("/chat");
        await app.StartAsync();

        var warnings = logs.Entries.Where(entry => entry.Id == 1430).Select(entry => entry.Text);
        if (!warns)
        {
            Assert.Empty(warnings);
            return;
        }

        var warning = Assert.Single(warnings);
        Assert.StartsWith("Hub /chat ", warning, StringComparison.Ordinal);
        Assert.Contains("AllowOnAnyNode()", warning, StringComparison.Ordinal);
        Assert.Contains(".RequireLeader()", warning, StringComparison.Ordinal);
        Assert.Contains("app.UseHa()", warning, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("BASE_FORWARD_ALWAYS")]
    [InlineData("BASE_FORWARD_NEVER")]
    public async Task A_hub_below_a_path_prefix_is_decided(string key)
    {
        using var logs = new RecordedLogs();
        await using var app = TestApp.Create([.. TestApp.FixedFollower, (key, "/chat")], builder =>
        {
            builder.Services.AddSignalR();
            builder.Services.AddSingleton<ILoggerFactory>(logs);
        });
        app.MapHub<EmptyHub>("/chat");
        app.MapHub<EmptyHub>("/chatter");
        await app.StartAsync();
        Assert.StartsWith("Hub /chatter ", Assert.Single(logs.Entries, entry => entry.Id == 1430).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_hub_of_Blazor_takes_the_choice_of_its_components(bool chooses)
    {
        using var logs = new RecordedLogs();
        await using var app = TestApp.Create(TestApp.FixedFollower, builder =>
        {
            builder.Services.AddRazorComponents().AddInteractiveServerComponents();
            builder.Services.AddSingleton<ILoggerFactory>(logs);
        });
        app.UseHa();
        var components = app.MapRazorComponents<EmptyPage>().AddInteractiveServerRenderMode();
        if (chooses)
        {
            components.RequireLeader();
        }

        await app.StartAsync();

        var hubs = logs.Entries.Where(entry => entry.Id == 1430).Select(entry => entry.Text.Split(' ')[1]);
        Assert.Equal(chooses ? [] : ["/_blazor"], hubs);
        Assert.Equal(chooses, app.Services.GetRequiredService<EndpointDataSource>().Endpoints.Any(endpoint =>
            endpoint.Metadata.GetMetadata<HubMetadata>() is not null && endpoint.Metadata.GetMetadata<RequireLeaderAttribute>() is not null));
    }

    private sealed class EmptyHub : Hub;

    private sealed class EmptyPage : ComponentBase;

    [Theory]
    [MemberData(nameof(ActiveOrNot))]
    public async Task What_runs_before_UseHa_by_ShortCircuit_stops_the_start(bool active)
    {
        await RefusesAsync(active, app => app.MapGet("/x", () => "x").ShortCircuit().RequireLeader(), "'HTTP: GET /x' carries RequireLeader and ShortCircuit()");
        await RefusesAsync(active, app => app.MapPost("/x", () => "x").ShortCircuit().HonorsIdempotencyKey(), "carries HonorsIdempotencyKey and ShortCircuit()");
        await RefusesAsync(active, app => app.MapPost("/x", () => "x").ShortCircuit(), "'HTTP: POST /x' takes writes and ShortCircuit(), with which it runs before app.UseHa()");
    }

    [Fact]
    public async Task ShortCircuit_is_fine_for_reads_and_for_what_may_run_anywhere()
    {
        await using var app = TestApp.Create(TestApp.FixedFollower);
        app.UseHa();
        app.MapGet("/read", () => "x").ShortCircuit();
        app.MapPost("/search", () => "found").ShortCircuit().AllowOnAnyNode();
        app.MapShortCircuit(404, "robots.txt");
        await app.StartAsync();
        using var client = app.GetTestClient();
        using var answer = await client.PostAsync(new Uri("/search", UriKind.Relative), new StringContent(""));
        Assert.Equal("found", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task ShortCircuit_is_fine_where_the_forwarding_stands_first()
    {
        await using var app = TestApp.Create(TestApp.FixedFollower);
        app.MapPost("/x", () => "x").ShortCircuit();
        await app.StartAsync();
        using var client = app.GetTestClient();
        using var answer = await client.PostAsync(new Uri("/x", UriKind.Relative), new StringContent(""));
        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
    }

    public static TheoryData<string> WaysAround => ["branch", "path base", "rewriter", "controller"];

    [Theory]
    [MemberData(nameof(WaysAround))]
    public async Task An_endpoint_whose_metadata_was_not_read_throws_instead_of_running(string way)
    {
        var ran = false;
        await using var app = TestApp.Create(
            TestApp.FixedFollower, builder => builder.Services.AddControllers().AddApplicationPart(typeof(RefusingController).Assembly));
        PlaceUseHa(app, way);
        app.MapGet("/fresh", () => ran = true).RequireLeader();
        app.MapControllers();
        await app.StartAsync();
        using var client = app.GetTestClient();

        var path = way switch { "path base" => "/shop/fresh", "rewriter" => "/old", "controller" => "/refusing", _ => "/fresh" };
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => client.GetAsync(new Uri(path, UriKind.Relative)));

        Assert.Contains("carries RequireLeader, but the request did not come through app.UseHa() with it", error.Message, StringComparison.Ordinal);
        Assert.False(ran);
    }

    [Fact]
    public async Task An_endpoint_whose_metadata_was_read_runs_where_it_may()
    {
        await using var leader = TestApp.Create(TestApp.FixedLeader);
        leader.UseHa();
        leader.MapGet("/fresh", () => "x").RequireLeader();
        await leader.StartAsync();
        using var client = leader.GetTestClient();
        Assert.Equal("x", await client.GetStringAsync(new Uri("/fresh", UriKind.Relative)));

        await using var follower = TestApp.Create(TestApp.FixedFollower);
        follower.UseHa();
        follower.MapGet("/fresh", () => "x").RequireLeader();
        await follower.StartAsync();
        using var other = follower.GetTestClient();
        using var answer = await other.GetAsync(new Uri("/fresh", UriKind.Relative));
        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
    }

    [Theory]
    [InlineData("POST", "/x", 200, true)]
    [InlineData("GET", "/x", 200, false)]
    [InlineData("POST", "/x", 401, false)]
    [InlineData("POST", "/x", 302, false)]
    [InlineData("POST", "/notes", 200, false)]
    [InlineData("POST", "/search", 200, false)]
    [InlineData("POST", "/hooks/x", 200, false)]
    public async Task A_write_that_a_branch_before_UseHa_has_answered_is_reported(string method, string path, int status, bool reported)
    {
        using var logs = new RecordedLogs();
        await using var app = TestApp.Create(
            [.. TestApp.FixedLeader, ("BASE_FORWARD_NEVER", "/hooks/x")], builder => builder.Services.AddSingleton<ILoggerFactory>(logs));
        foreach (var answered in (string[])["/x", "/hooks"])
        {
            app.Map(answered, branch => branch.Run(context =>
            {
                context.Response.StatusCode = status;
                return Task.CompletedTask;
            }));
        }

        app.UseHa();
        app.MapPost("/notes", () => "x");
        app.MapPost("/search", () => "x").AllowOnAnyNode();
        await app.StartAsync();
        using var client = app.GetTestClient();

        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var answer = await client.SendAsync(request);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(reported ? 1 : 0, logs.Entries.Count(entry => entry.Id == 1220 && entry.Text.StartsWith($"A write, POST {path}, was answered 200 without", StringComparison.Ordinal)));
    }

    private static void PlaceUseHa(WebApplication app, string way)
    {
        if (way is "branch" or "controller")
        {
            app.UseWhen(context => context.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase), api => api.UseHa());
            return;
        }

        app.UseHa();
        if (way is "path base")
        {
            app.UsePathBase("/shop");
        }
        else
        {
            app.UseRewriter(new RewriteOptions().AddRewrite("^old$", "fresh", skipRemainingRules: true));
        }
    }

    private static async Task RefusesAsync(bool active, Action<WebApplication> map, string message)
    {
        await using var app = TestApp.Create(active ? TestApp.FixedLeader : TestApp.Inactive);
        app.UseHa();
        map(app);
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => app.StartAsync());
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class MarkAttribute : Attribute, IHaMetadata;
}
