using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.OnTheWire;

/// <summary>How an answer says where it ends.</summary>
public enum Framing
{
    Length,
    Chunked,
}

/// <summary>How a handler gives its answer to the server.</summary>
public enum Writing
{
    /// <summary>All at once.</summary>
    Once,

    /// <summary>In a few pieces, each of which is flushed.</summary>
    Pieces,

    /// <summary>Into the server's buffer, which is not flushed by the handler.</summary>
    Buffer,
}

/// <summary>An application that answers with as many known bytes as it is asked for, and counts what it executed.</summary>
internal sealed class AnswerApp
{
    private const int Largest = 2 * 1024 * 1024;
    private const int Pieces = 3;
    private static readonly byte[] _bytes = Bytes();
    private int _executed;
    private int _abandoned;

    /// <summary>Requests whose body was read to its end.</summary>
    public int Executed => Volatile.Read(ref _executed);

    public static string Target(int size, Framing framing = Framing.Length, Writing writing = Writing.Once) =>
        string.Create(CultureInfo.InvariantCulture, $"/answer/{size}/{framing}/{writing}");

    /// <summary>Requests to <c>/steps</c> that nobody waited for any more.</summary>
    public int Abandoned => Volatile.Read(ref _abandoned);

    /// <summary>What it answers.</summary>
    public static ReadOnlySpan<byte> Expected(int size) => Body(size).Span;

    /// <summary>Lets the handler of <c>/steps</c> write its second piece.</summary>
    public TaskCompletionSource FirstPieceSeen { get; private set; } = new();

    public void Map(WebApplication app)
    {
        app.MapMethods("/answer/{size}/{framing}/{writing}", ["GET", "HEAD", "POST"], AnswerAsync).RequireLeader();
        app.MapPost("/nothing", () => Results.NoContent());
        app.MapMethods("/steps/{framing}", ["GET", "POST"], StepsAsync).RequireLeader();
    }

    private static ReadOnlyMemory<byte> Body(int size) => _bytes.AsMemory(size % 251, size);

    private async Task AnswerAsync(HttpContext context, int size, Framing framing, Writing writing)
    {
        await context.Request.Body.CopyToAsync(Stream.Null);
        Interlocked.Increment(ref _executed);
        var response = context.Response;
        response.Headers.CacheControl = "public, max-age=60";
        if (HttpMethods.IsHead(context.Request.Method))
        {
            response.ContentLength = framing == Framing.Length ? size : null;
            return;
        }

        await WriteAsync(response, Body(size), framing, writing);
    }

    /// <summary>Writes an answer in one of the ways that applications have.</summary>
    public static async Task WriteAsync(HttpResponse response, ReadOnlyMemory<byte> body, Framing framing, Writing writing)
    {
        response.ContentLength = framing == Framing.Length ? body.Length : null;
        switch (writing)
        {
            case Writing.Once:
                await response.Body.WriteAsync(body);
                break;
            case Writing.Pieces:
                for (var left = Pieces; left > 0; left--)
                {
                    var piece = body.Length / left;
                    await response.Body.WriteAsync(body[..piece]);
                    await response.Body.FlushAsync();
                    body = body[piece..];
                }

                break;
            default:
                body.Span.CopyTo(response.BodyWriter.GetSpan(body.Length));
                response.BodyWriter.Advance(body.Length);
                break;
        }
    }

    // A byte, and another one when the client has seen the first.
    private async Task StepsAsync(HttpContext context, Framing framing)
    {
        FirstPieceSeen = new TaskCompletionSource();
        context.Response.Headers.CacheControl = "public, max-age=60";
        context.Response.ContentLength = framing == Framing.Length ? 2 : null;
        await context.Response.Body.WriteAsync(Body(1));
        await context.Response.Body.FlushAsync();
        try
        {
            await FirstPieceSeen.Task.WaitAsync(context.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            Interlocked.Increment(ref _abandoned);
            throw;
        }

        await context.Response.Body.WriteAsync(Body(1));
    }

    private static byte[] Bytes()
    {
        var bytes = new byte[Largest + 251];
        new Random(12).NextBytes(bytes);

        // An answer that were cut in two and put together wrongly would show where.
        for (var at = 0; at + 16 <= bytes.Length; at += 1024)
        {
            Encoding.ASCII.GetBytes(at.ToString("D16", CultureInfo.InvariantCulture), bytes.AsSpan(at));
        }

        return bytes;
    }
}
