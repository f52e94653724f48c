using System.Collections.Concurrent;
using Ha.Security;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Security;

/// <summary>
/// A few real heartbeats, as somebody on the wire could have written them down after they arrived. Once it has enough it
/// touches no request any more, so it neither waits for bodies nor keeps what a flood brings.
/// </summary>
internal sealed class Wiretap
{
    private const int Enough = 24;
    private readonly ConcurrentQueue<CapturedBeat> _beats = new();

    public IReadOnlyList<CapturedBeat> Beats => [.. _beats];

    public bool Done => _beats.Count >= Enough;

    /// <summary>Before everything else in the pipeline of this node.</summary>
    public void Attach(WebApplicationBuilder builder) =>
        builder.Services.Insert(0, ServiceDescriptor.Singleton<IStartupFilter>(new Filter(this)));

    private async Task ListenAsync(HttpContext context, RequestDelegate next)
    {
        if (Done || context.Request.Path != HeartbeatSignature.Path)
        {
            await next(context);
            return;
        }

        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        body.Position = 0;
        context.Request.Body = body;
        await next(context);
        var headers = context.Request.Headers;
        if (context.Response.StatusCode == StatusCodes.Status200OK && SignatureHeaders.TryRead(
            headers[SignatureHeaders.ContentDigestName], headers[SignatureHeaders.SignatureInputName], headers[SignatureHeaders.SignatureName], out var signature))
        {
            _beats.Enqueue(new CapturedBeat(signature, body.ToArray()));
        }
    }

    private sealed class Filter(Wiretap tap) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(inner => context => tap.ListenAsync(context, inner));
            next(app);
        };
    }
}

/// <param name="Headers">Its signature.</param>
/// <param name="Body">Its content.</param>
internal sealed record CapturedBeat(SignatureHeaders Headers, byte[] Body);
