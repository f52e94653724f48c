using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Cli;

/// <summary>A server that answers as a test wants, and remembers what it was asked with which credentials.</summary>
internal sealed class FakeNode : IAsyncDisposable
{
    private readonly WebApplication _app;

    private FakeNode(WebApplication app) => _app = app;

    public ConcurrentQueue<string> Seen { get; } = new();

    public string Url => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    public static async Task<FakeNode> StartAsync(RequestDelegate answer)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var node = new FakeNode(app);
        app.Run(context =>
        {
            node.Seen.Enqueue($"{context.Request.Method} {context.Request.Path} {context.Request.Headers.Authorization}".TrimEnd());
            return answer(context);
        });
        await app.StartAsync();
        return node;
    }

    /// <summary>A node that knows of these members only, and answers what is asked of it with 202.</summary>
    /// <param name="id">Its own.</param>
    /// <param name="leader">Who leads; null: nobody.</param>
    /// <param name="epoch">The leader's.</param>
    /// <param name="others">More members.</param>
    public static Task<FakeNode> StartAsync(string id, string? leader, long epoch = 7, params (string Id, string Url)[] others) =>
        StartAsync(context => AnswerAsync(context, id, leader, epoch, others));

    /// <summary>As such a node does.</summary>
    public static Task AnswerAsync(HttpContext context, string id, string? leader, long epoch, params (string Id, string Url)[] others)
    {
        context.Response.ContentType = "application/json";
        context.Response.StatusCode = HttpMethods.IsPost(context.Request.Method) ? 202 : 200;
        return context.Response.WriteAsync(context.Request.Path.Value switch
        {
            "/_ha/leader" =>
                $$"""{"leader_url":"","node_id":"{{leader}}","epoch":{{(leader is null ? 0 : epoch)}},"lease_remaining_ms":900,"is_self":{{Word(id == leader)}},"quorum":"majority"}""",
            "/_ha/peers" => $"[{string.Join(',', others.Prepend((id, "http://self:1")).Select((m, i) => Member(m.Item1, m.Item2, i == 0, m.Item1 == leader)))}]",
            _ => """{"successor":""}""",
        });
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    // Without what nodes of an earlier version do not have.
    private static string Member(string id, string url, bool self, bool leads) =>
        $$"""{"node_id":"{{id}}","target":"{{url}}","up":true,"is_self":{{Word(self)}},"role":"{{(leads ? "leader" : "follower")}}"}""";

    private static string Word(bool flag) => flag ? "true" : "false";
}
