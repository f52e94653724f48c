using System.Collections.Concurrent;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Forwarding;

/// <summary>One middleware before and after the write forwarding: what is asked, and what comes of it on either side.</summary>
/// <param name="Name">As in docs/middleware.md.</param>
/// <param name="Place">Where it belongs, as in docs/middleware.md.</param>
internal sealed record MiddlewareTrial(string Name, string Place)
{
    /// <summary>Tells trials of the same middleware apart.</summary>
    public string Case { get; init; } = "";

    public Action<IServiceCollection> Services { get; init; } = static _ => { };

    public required Action<WebApplication, TrialNode> Use { get; init; }

    public Action<WebApplication, TrialNode> Endpoints { get; init; } = static (app, node) => app.MapPost("/x", node.EchoAsync);

    public Func<HttpClient, Task<HttpRequestMessage>> Request { get; init; } = Post("/x");

    /// <summary>On the other side of routing it would not do its work.</summary>
    public bool NeedsEndpoint { get; init; }

    /// <summary>The write forwarding stands outside of everything when the middleware comes after it.</summary>
    public bool IsRouting { get; init; }

    public bool FollowerHasTls { get; init; }

    public bool Leaderless { get; init; }

    public TimeSpan WriteHold { get; init; } = TimeSpan.FromMinutes(1);

    public ForwardMode Mode { get; init; } = ForwardMode.Proxy;

    /// <summary>How often the same is asked; the last answer counts.</summary>
    public int Times { get; init; } = 1;

    /// <summary>The headers of the answer that matter.</summary>
    public IReadOnlyList<string> Headers { get; init; } = [];

    public required string Before { get; init; }

    public required string After { get; init; }

    public override string ToString() => $"{Name} {Case}".Trim();

    public static Func<HttpClient, Task<HttpRequestMessage>> Get(string path, params (string Name, string Value)[] headers) =>
        _ => Task.FromResult(Message(HttpMethod.Get, path, headers));

    public static Func<HttpClient, Task<HttpRequestMessage>> Post(string path, params (string Name, string Value)[] headers) => _ =>
    {
        var request = Message(HttpMethod.Post, path, headers);
        request.Content = JsonContent.Create(new { a = 1 });
        return Task.FromResult(request);
    };

    private static HttpRequestMessage Message(HttpMethod method, string path, (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, path);
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }

        return request;
    }
}

/// <summary>One of the two nodes, and what has been seen at both.</summary>
internal sealed record TrialNode(string Id, ConcurrentQueue<string> Seen)
{
    public bool IsFollower => string.Equals(Id, "follower", StringComparison.Ordinal);

    public void Note(string what) => Seen.Enqueue($"{what} {Id}");

    /// <summary>What an endpoint does that reads its body and says so.</summary>
    public async Task EchoAsync(HttpContext context)
    {
        Note("ran");
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        await context.Response.WriteAsync($"{Id} {body}");
    }

    public Task ThrowAsync(HttpContext context)
    {
        Note("ran");
        throw new InvalidOperationException("failed on purpose");
    }

    /// <summary>Notes every request that arrives, before anything else sees it.</summary>
    public IStartupFilter Arrivals() => new Outermost(this);

    private sealed class Outermost(TrialNode node) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(inner => context =>
            {
                node.Note("at");
                return inner(context);
            });
            next(app);
        };
    }
}
