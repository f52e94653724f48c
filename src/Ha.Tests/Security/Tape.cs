using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Security;

/// <summary>Writes down every heartbeat that a node hears and every answer that it gives, as somebody on the wire could.</summary>
internal sealed class Tape
{
    private static readonly string[] _fields = ["Content-Type", "Content-Digest", "Signature-Input", "Signature"];

    private readonly ConcurrentQueue<RecordedExchange> _exchanges = new();

    /// <summary>Everything so far, in the order in which it was answered.</summary>
    public IReadOnlyList<RecordedExchange> Exchanges => [.. _exchanges];

    /// <summary>From now on this node is listened to.</summary>
    public void Attach(string node, WebApplicationBuilder builder) =>
        builder.Services.Insert(0, ServiceDescriptor.Singleton<IStartupFilter>(new Filter(next => context => RecordAsync(node, context, next))));

    private async Task RecordAsync(string node, HttpContext context, RequestDelegate next)
    {
        if (context.Request.Path != "/_ha/heartbeat")
        {
            await next(context);
            return;
        }

        using var asked = new MemoryStream();
        await context.Request.Body.CopyToAsync(asked);
        asked.Position = 0;
        context.Request.Body = asked;
        var wire = context.Response.Body;
        using var said = new MemoryStream();
        context.Response.Body = said;
        await next(context);
        context.Response.Body = wire;
        _exchanges.Enqueue(new RecordedExchange(
            node,
            new RecordedMessage(Fields(context.Request.Headers), asked.ToArray()),
            context.Response.StatusCode,
            new RecordedMessage(Fields(context.Response.Headers), said.ToArray())));
        await wire.WriteAsync(said.ToArray());
    }

    private static Dictionary<string, string> Fields(IHeaderDictionary headers) =>
        _fields.Where(headers.ContainsKey).ToDictionary(name => name, name => headers[name].ToString(), StringComparer.Ordinal);

    private sealed class Filter(Func<RequestDelegate, RequestDelegate> middleware) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(middleware);
            next(app);
        };
    }
}

/// <param name="To">The node that was asked.</param>
/// <param name="Request">What it heard.</param>
/// <param name="Status">How it answered.</param>
/// <param name="Reply">What it said.</param>
internal sealed record RecordedExchange(string To, RecordedMessage Request, int Status, RecordedMessage Reply);

/// <param name="Fields">The header fields that matter to a heartbeat.</param>
/// <param name="Body">The content.</param>
internal sealed record RecordedMessage(IReadOnlyDictionary<string, string> Fields, byte[] Body)
{
    /// <summary>Sends the request once more.</summary>
    public async Task<int> SendAsync(HttpClient client, string url)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url + "/_ha/heartbeat") { Content = new ByteArrayContent(Body) };
        foreach (var (name, value) in Fields)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value) || request.Content.Headers.TryAddWithoutValidation(name, value));
        }

        using var response = await client.SendAsync(request);
        return (int)response.StatusCode;
    }

    /// <summary>Gives the reply once more.</summary>
    public async Task AnswerAsync(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        foreach (var (name, value) in Fields)
        {
            context.Response.Headers[name] = value;
        }

        await context.Response.Body.WriteAsync(Body);
    }
}
