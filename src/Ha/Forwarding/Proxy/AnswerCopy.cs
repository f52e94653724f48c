using System.Net;
using Ha.Http;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Forwarding.Proxy;

/// <summary>Brings the leader's answer to the client. From its first byte on there is no other answer any more.</summary>
internal static class AnswerCopy
{
    // The rest of a block of 4 KiB, in which the server has written the headers: in a second block even a short answer
    // would cost the server a list of buffers.
    private const int SmallRead = 2 * 1024;
    private const int LargeRead = 64 * 1024;

    /// <param name="answer">The leader's.</param>
    /// <param name="context">The client's request.</param>
    /// <param name="via">This node's name in <c>Via</c>.</param>
    /// <param name="reports">Told of a header that was lost.</param>
    /// <param name="givenUp">Ends what goes on for as long as its client stays connected; any other answer is copied to its end.</param>
    public static async ValueTask<ForwardResult> ToClientAsync(
        HttpResponseMessage answer, HttpContext context, string via, ForwardingReports reports, CancellationToken givenUp)
    {
        // Step 7: status and headers.
        context.Response.StatusCode = (int)answer.StatusCode;
        context.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = answer.ReasonPhrase;
        try
        {
            ForwardHeaders.ToClient(answer, context, via, reports);

            // Step 8: upgrade or body.
            if (answer.StatusCode == HttpStatusCode.SwitchingProtocols)
            {
                await DuplexCopy.RunAsync(answer, context, givenUp);
                return ForwardResult.Answered;
            }

            using var end = LeaderConnection.IsStream(context.Response.ContentType) ? LeaderConnection.EndWith(context, givenUp) : default;
            await CopyBodyAsync(answer, context);

            // Step 9: trailers.
            CopyTrailers(answer, context.Response);
            return ForwardResult.Answered;
        }
        catch (Exception failure) when (failure is IOException or HttpRequestException or OperationCanceledException or InvalidOperationException)
        {
            if (!context.Response.HasStarted)
            {
                // Also where this node's server refuses to send it, which it tells by an InvalidOperationException: the
                // write has been executed all the same.
                context.Response.Clear();
                throw new IOException("The leader's answer could not be passed on.", failure);
            }

            // The client must not take half an answer for a whole one: a closed connection, or a stream that is reset
            // with INTERNAL_ERROR (RFC 9113 section 7).
            context.Abort();
            return ForwardResult.BrokenOff;
        }
    }

    private static async ValueTask CopyBodyAsync(HttpResponseMessage answer, HttpContext context)
    {
        var cancellation = context.RequestAborted;
        var leader = await answer.Content.ReadAsStreamAsync(cancellation);
        var client = context.Response.BodyWriter;
        var size = SmallRead;
        var unflushed = 0;

        // Not read once more than needed: the empty buffer for it would go to the socket as a write of its own.
        var length = context.Response.ContentLength;
        var left = length ?? long.MaxValue;
        while (left > 0)
        {
            // Reading nothing waits for something: no buffer is held meanwhile, and a pause is the time to flush.
            var ready = leader.ReadAsync(Memory<byte>.Empty, cancellation);
            if (!ready.IsCompletedSuccessfully && (unflushed > 0 || !context.Response.HasStarted))
            {
                await client.FlushAsync(cancellation);
                unflushed = 0;
            }

            await ready;
            if (length is not null && !context.Response.HasStarted)
            {
                // Once started, what is read lands in the server's own buffers. Of unknown length it may be nothing at
                // all, and a started answer without a body is not the same: gRPC's trailers-only would get a DATA frame.
                await context.Response.StartAsync(cancellation);
            }

            var read = await leader.ReadAsync(client.GetMemory((int)Math.Min(size, left)), cancellation);
            if (read == 0)
            {
                break;
            }

            client.Advance(read);
            unflushed += read;
            left -= read;
            size = read >= size ? LargeRead : size;
            if (unflushed >= LargeRead)
            {
                await client.FlushAsync(cancellation);
                unflushed = 0;
            }
        }

        if (unflushed > 0)
        {
            // The server flushes at the end of a request only what it has not begun to send, and a middleware that
            // buffers answers never.
            await client.FlushAsync(cancellation);
        }
    }

    private static void CopyTrailers(HttpResponseMessage answer, HttpResponse response)
    {
        if (response.HttpContext.Features.Get<IHttpResponseTrailersFeature>()?.Trailers is not { IsReadOnly: false } trailers)
        {
            // A client on HTTP/1.1: Kestrel has no trailers there.
            return;
        }

        foreach (var (name, values) in answer.TrailingHeaders.NonValidated)
        {
            trailers[name] = ForwardHeaders.ToValues(values);
        }
    }
}
