using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.OnTheWire;

/// <summary>
/// The program behind the verb <c>wire-node</c>: a node that keeps a list of the writes it executed, with a checksum of
/// what it read, and answers each with as many bytes as it is asked for.
/// </summary>
internal sealed class WireNode
{
    public const string Verb = "wire-node";

    private const string Rest = "/{id}/{size}/{framing}/{writing}";
    private readonly ConcurrentQueue<string> _executed = new();
    private int _running;

    public static int Run(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);

        // Connections that break are the point here, and each would be a line.
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Ha.Leadership", LogLevel.Information)
            .AddFilter("Ha.Forwarding", LogLevel.Error).AddFilter("Microsoft.AspNetCore", LogLevel.Critical);
        builder.Services.AddHa();
        var app = builder.Build();
        var node = new WireNode();
        app.Use(node.CountAsync);
        app.UseRouting();
        app.UseHa();
        app.MapPost("/once" + Rest, node.ExecuteAsync);
        app.MapPost("/keyed" + Rest, node.ExecuteAsync).HonorsIdempotencyKey();
        app.MapGet("/running", () => Volatile.Read(ref node._running));
        app.MapGet("/executed", node.TellAsync);
        app.Run();
        return 0;
    }

    // Writes that are somewhere on this node, forwarded ones too.
    private async Task CountAsync(HttpContext context, RequestDelegate next)
    {
        if (!HttpMethods.IsPost(context.Request.Method))
        {
            await next(context);
            return;
        }

        Interlocked.Increment(ref _running);
        try
        {
            await next(context);
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    private async Task ExecuteAsync(HttpContext context, int id, int size, Framing framing, Writing writing)
    {
        var (length, checksum) = await ReadAsync(context.Request.Body);
        var epoch = context.Features.GetRequiredFeature<IHaFeature>().Epoch;
        _executed.Enqueue(string.Create(CultureInfo.InvariantCulture, $"{id} {length} {checksum} {epoch}\n"));
        await AnswerApp.WriteAsync(context.Response, WireBytes.Answer(id, size), framing, writing);
    }

    private static async Task<(long Length, string Checksum)> ReadAsync(Stream body)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(32 * 1024);
        var length = 0L;
        for (int read; (read = await body.ReadAsync(buffer)) > 0; length += read)
        {
            hash.AppendData(buffer, 0, read);
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return (length, Convert.ToHexString(hash.GetHashAndReset()));
    }

    private async Task TellAsync(HttpContext context)
    {
        foreach (var line in _executed)
        {
            await context.Response.WriteAsync(line, Encoding.ASCII, context.RequestAborted);
        }
    }
}
