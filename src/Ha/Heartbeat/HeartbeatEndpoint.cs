using System.Buffers;
using System.IO.Pipelines;
using Ha.Election;
using Ha.Security;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Ha.Heartbeat;

/// <summary>
/// <c>POST /_ha/heartbeat</c>. Checks go from cheap to dear, and no byte of a body is read for a caller without a key.
/// Every reply that carries a message is signed and good for its request only. Thread-safe.
/// </summary>
/// <param name="source">Keys to verify requests with and to sign replies with.</param>
/// <param name="receive">Answers a verified message; synchronous, thread-safe, does not throw.</param>
/// <param name="clock">Time for <c>created</c> and for the limit on slow bodies.</param>
/// <param name="rejected">Told one of a few fixed words for each request that never became a message.</param>
internal sealed class HeartbeatEndpoint(
    KeySource source, Func<Beat, BeatReply> receive, TimeProvider clock, Action<string>? rejected = null)
{
    private const string JsonType = "application/json";

    /// <summary>How long a body may take to arrive. Default 2 s; a heartbeat fits one packet or two.</summary>
    public TimeSpan BodyTimeLimit { get; init; } = TimeSpan.FromSeconds(2);

    public async Task HandleAsync(HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-store";
        var keys = source.Current;

        // Step 1: what the header alone shows, its signature included.
        var refusal = CheckHeader(keys, context.Request, out var signature, out var signer);
        if (refusal is not null)
        {
            await RefuseAsync(context, refusal);
            return;
        }

        // Step 2: the body, bounded in size and time.
        (var body, refusal) = await ReadBodyAsync(context.Request);
        if (refusal is not null)
        {
            await RefuseAsync(context, refusal);
            return;
        }

        if (body is null)
        {
            // The sender is gone, and nobody waits for an answer.
            return;
        }

        // Step 3: it is the body that was signed, a message, and about the signer.
        refusal = Decode(body, signature, signer, out var beat);
        if (refusal is not null)
        {
            await RefuseAsync(context, refusal);
            return;
        }

        // Step 4: what the election says to it.
        var reply = receive(beat!);

        // Step 5: encoded, and signed for this request only.
        await AnswerAsync(context.Response, keys.Signer, reply, signature);
    }

    private static HeartbeatRefusal? CheckHeader(KeyRing keys, HttpRequest request, out SignatureHeaders signature, out RingKey signer)
    {
        signature = default;
        signer = default;
        if (!HttpMethods.IsPost(request.Method))
        {
            return HeartbeatRefusal.Method;
        }

        if (!IsJson(request))
        {
            return HeartbeatRefusal.NotJson;
        }

        if (request.ContentLength > BeatJson.MaxBodyBytes)
        {
            return HeartbeatRefusal.TooLarge;
        }

        var verdict = keys.Unsigned ? SignatureVerdict.Valid : HttpSignature.Verify(keys, request, out signature, out signer);
        return verdict == SignatureVerdict.Valid ? null : HeartbeatRefusal.Unsigned(verdict);
    }

    private static bool IsJson(HttpRequest request) =>
        request.Headers.ContentEncoding.Count == 0 &&
        MediaTypeHeaderValue.TryParse(request.ContentType, out var type) &&
        type.MediaType.Equals(JsonType, StringComparison.OrdinalIgnoreCase) &&
        (type.Charset.Length == 0 || HeaderUtilities.RemoveQuotes(type.Charset).Equals("utf-8", StringComparison.OrdinalIgnoreCase));

    /// <returns>Neither a body nor a refusal: the sender is gone.</returns>
    private async Task<(byte[]? Body, HeartbeatRefusal? Refusal)> ReadBodyAsync(HttpRequest request)
    {
        // Not a token for the reading: one that fires leaves the server's reader unusable, and the server says so in its log.
        var reader = request.BodyReader;
        await using var limit = clock.CreateTimer(
            static state => ((PipeReader)state!).CancelPendingRead(), reader, BodyTimeLimit, Timeout.InfiniteTimeSpan);
        try
        {
            var read = await reader.ReadAtLeastAsync(BeatJson.MaxBodyBytes + 1);
            var body = read.IsCanceled || read.Buffer.Length > BeatJson.MaxBodyBytes ? null : read.Buffer.ToArray();
            reader.AdvanceTo(read.Buffer.End);
            return (body, read.IsCanceled ? HeartbeatRefusal.TooSlow : body is null ? HeartbeatRefusal.TooLarge : null);
        }
        catch (BadHttpRequestException e)
        {
            // The server found the body too large, too slow or badly framed before this did.
            return (null, e.StatusCode switch
            {
                StatusCodes.Status413PayloadTooLarge => HeartbeatRefusal.TooLarge,
                StatusCodes.Status408RequestTimeout => HeartbeatRefusal.TooSlow,

                // Without chunks there is no framing to break: the sender gave up in the middle, as one does on a node
                // that was stopped for a while.
                _ => request.ContentLength is null ? HeartbeatRefusal.BadFraming : null,
            });
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return default;
        }
    }

    /// <param name="body">All of it.</param>
    /// <param name="signature">The verified headers.</param>
    /// <param name="signer">Whose they are; without a key when none was asked for.</param>
    /// <param name="beat">The message; null when it is refused.</param>
    private static HeartbeatRefusal? Decode(byte[] body, SignatureHeaders signature, RingKey signer, out Beat? beat)
    {
        beat = null;
        if (signer.Key is not null && !ContentDigest.Matches(signature.ContentDigest, body))
        {
            return HeartbeatRefusal.Unsigned(SignatureVerdict.WrongDigest);
        }

        return !BeatJson.TryParse(body, out beat, out var reason) ? HeartbeatRefusal.Malformed(reason)
            : !signer.MaySpeakFor(beat.From.Id) ? HeartbeatRefusal.Unsigned(SignatureVerdict.WrongNode)
            : null;
    }

    private async Task AnswerAsync(HttpResponse response, HaKey? key, BeatReply reply, SignatureHeaders request)
    {
        var body = BeatJson.Serialize(reply);
        response.StatusCode = BeatStatusCodes.ToHttp(reply.Status);
        response.ContentType = JsonType;
        response.ContentLength = body.Length;
        if (key is not null)
        {
            HttpSignature.Sign(response, key, body, request, clock.GetUtcNow());
        }

        await response.Body.WriteAsync(body, response.HttpContext.RequestAborted);
    }

    private Task RefuseAsync(HttpContext context, HeartbeatRefusal refusal)
    {
        rejected?.Invoke(refusal.Reason);
        return refusal.WriteAsync(context);
    }
}
