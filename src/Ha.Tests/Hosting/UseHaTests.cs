using System.Net;
using Ha.Forwarding;
using Ha.Tests.Forwarding;
using Ha.Tests.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Hosting;
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

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class MarkAttribute : Attribute, IHaMetadata;
}
