using System.Collections.Concurrent;
using System.Net;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Security;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Heartbeat;

/// <summary>A heartbeat endpoint behind a real socket on loopback.</summary>
internal sealed class HeartbeatHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private HeartbeatHost(WebApplication app) => _app = app;

    public string Url { get; private set; } = "";

    /// <summary>Every message that got through.</summary>
    public ConcurrentQueue<Beat> Received { get; } = new();

    /// <summary>The reason of every request that did not.</summary>
    public ConcurrentQueue<string> Rejected { get; } = new();

    /// <param name="keys">The endpoint's keys.</param>
    /// <param name="receive">How messages are answered; default: status ok.</param>
    /// <param name="meddle">A middleware before the endpoint, the place of an attacker on the wire.</param>
    /// <param name="bodyTimeLimit">How long a body may take.</param>
    public static async Task<HeartbeatHost> StartAsync(
        KeyRing keys,
        Func<Beat, BeatReply>? receive = null,
        Func<HttpContext, RequestDelegate, Task>? meddle = null,
        TimeSpan? bodyTimeLimit = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var host = new HeartbeatHost(app);
        var endpoint = new HeartbeatEndpoint(
            new KeySource(keys),
            beat =>
            {
                host.Received.Enqueue(beat);
                return receive?.Invoke(beat) ?? Beats.Reply(seq: beat.Seq);
            },
            TimeProvider.System,
            host.Rejected.Enqueue)
        {
            BodyTimeLimit = bodyTimeLimit ?? TimeSpan.FromSeconds(30),
        };
        app.Run(context => meddle is null ? endpoint.HandleAsync(context) : meddle(context, endpoint.HandleAsync));
        await app.StartAsync();
        host.Url = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return host;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
