using System.Collections.Concurrent;
using System.Net;
using Ha.Tests.Processes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Balancers;

/// <summary>Three nodes that answer probes and reads, and close the connection under each write after they have read it.</summary>
internal sealed class BrokenNodes : IAsyncDisposable
{
    private readonly List<WebApplication> _apps = [];
    private volatile bool _haveLeader;
    private int _leaderProbes;

    public IReadOnlyList<Door> Doors => [.. _apps.Select((app, i) => new Door($"node {i}", app.Urls.Single()))];

    /// <summary>What reached a node: method and path.</summary>
    public ConcurrentQueue<string> Writes { get; } = new();

    /// <summary>Whether the first of them answers the leader's probe with 200.</summary>
    public bool HaveLeader
    {
        get => _haveLeader;
        set => _haveLeader = value;
    }

    /// <summary>How often the three were asked in all.</summary>
    public int LeaderProbes => Volatile.Read(ref _leaderProbes);

    public static async Task<BrokenNodes> StartAsync()
    {
        var nodes = new BrokenNodes();
        for (var i = 0; i < 3; i++)
        {
            var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
            builder.Logging.ClearProviders();
            var app = builder.Build();
            var first = i == 0;
            app.Run(context => nodes.AnswerAsync(context, first));
            nodes._apps.Add(app);
            await app.StartAsync();
        }

        return nodes;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var app in _apps)
        {
            await app.DisposeAsync();
        }
    }

    private async Task AnswerAsync(HttpContext context, bool first)
    {
        var request = context.Request;
        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsOptions(request.Method))
        {
            var probe = request.Path == "/_ha/healthz/leader";
            context.Response.StatusCode = probe && !(first && HaveLeader) ? 503 : 200;
            _ = probe ? Interlocked.Increment(ref _leaderProbes) : 0;
            return;
        }

        await request.Body.CopyToAsync(Stream.Null);
        Writes.Enqueue($"{request.Method} {request.Path}");
        context.Abort();
    }
}
