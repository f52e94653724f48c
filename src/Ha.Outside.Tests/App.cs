using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Outside.Tests;

/// <summary>An application with one write, in a test server.</summary>
internal sealed class App : IAsyncDisposable
{
    private readonly WebApplication _app;

    private App(WebApplication app) => _app = app;

    /// <summary>What a write does; null: nothing.</summary>
    public Func<HttpContext, Task>? OnWrite { get; set; }

    public IServiceProvider Services => _app.Services;

    public TestServer Server => _app.GetTestServer();

    public static async Task<App> StartAsync(Action<IServiceCollection> services, params (string Key, string Value)[] settings)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseTestServer();
        builder.Services.AddRoutingCore();
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning));
        builder.Configuration.AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value)));
        services(builder.Services);
        var app = builder.Build();
        var made = new App(app);
        app.UseRouting();
        app.UseHa();
        app.MapPost("/orders", async context =>
        {
            if (made.OnWrite is { } write)
            {
                await write(context);
            }

            await context.Response.WriteAsync($"epoch {context.Features.Get<IHaFeature>()?.Epoch}");
        });
        app.MapGet("/orders", () => "none");
        await app.StartAsync();
        return made;
    }

    /// <summary>A client that follows no redirect.</summary>
    public HttpClient Client() => Server.CreateClient();

    /// <summary>Stops as SIGTERM does.</summary>
    public Task StopAsync() => _app.StopAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
