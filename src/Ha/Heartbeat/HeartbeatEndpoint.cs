using System.Buffers;
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
/// <param name="wallClock">Time for <c>created</c> and for the limit on slow bodies.</param>
/// <param name="rejected">Told one of a few fixed words for each request that never became a message.</param>
internal sealed class HeartbeatEndpoint(
    KeySource source, Func<Beat, BeatReply> receive, TimeProvider wallClock, Action<string>? rejected = null)
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
        var reader = context.Request.BodyReader;
        var (outcome, body) = await BoundedBody.ReadAsync(
            reader, context.Request.ContentLength, BeatJson.MaxBodyBytes, BodyTimeLimit, wallClock);
        if (outcome == BodyOutcome.Aborted)
        {
            return;
        }

        // Step 3: digest, JSON, whether the key is the sender's, and the election's answer, signed.
        refusal = outcome == BodyOutcome.Complete ? Answer(context.Response, keys, body, signature, signer) : Refusal(outcome);
        if (outcome == BodyOutcome.Complete)
        {
            reader.AdvanceTo(body.End);
        }

        if (refusal is not null)
        {
            await RefuseAsync(context, refusal);
            return;
        }

        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
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

        if (keys.Unsigned)
        {
            return null;
        }

        var headers = request.Headers;
        var verdict = SignatureHeaders.TryRead(
            headers[SignatureHeaders.ContentDigestName],
            headers[SignatureHeaders.SignatureInputName],
            headers[SignatureHeaders.SignatureName],
            out signature)
            ? HeartbeatSignature.VerifyRequestHeaders(keys, signature, out signer)
            : SignatureVerdict.Malformed;
        return verdict == SignatureVerdict.Valid ? null : HeartbeatRefusal.Unsigned(verdict);
    }

    private static bool IsJson(HttpRequest request)
    {
        if (request.Headers.ContentEncoding.Count > 0 || request.ContentType is not { } type)
        {
            return false;
        }

        if (string.Equals(type, JsonType, StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        return MediaTypeHeaderValue.TryParse(type, out var parsed) &&
            parsed.MediaType.Equals(JsonType, StringComparison.OrdinalIgnoreCase) &&
            (parsed.Charset.Length == 0 || HeaderUtilities.RemoveQuotes(parsed.Charset).Equals("utf-8", StringComparison.OrdinalIgnoreCase));
    }

    private HeartbeatRefusal? Answer(HttpResponse response, KeyRing keys, ReadOnlySequence<byte> body, SignatureHeaders signature, RingKey signer)
    {
        if (body.IsSingleSegment)
        {
            return Answer(response, keys, body.FirstSpan, signature, signer);
        }

        var rented = ArrayPool<byte>.Shared.Rent(BeatJson.MaxBodyBytes);
        try
        {
            body.CopyTo(rented);
            return Answer(response, keys, rented.AsSpan(0, (int)body.Length), signature, signer);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <param name="response">Written to, unless the message is refused.</param>
    /// <param name="keys">The ring that the headers were verified with.</param>
    /// <param name="body">All of it.</param>
    /// <param name="signature">The verified headers.</param>
    /// <param name="signer">Whose they are; without a key when none was asked for.</param>
    private HeartbeatRefusal? Answer(HttpResponse response, KeyRing keys, ReadOnlySpan<byte> body, SignatureHeaders signature, RingKey signer)
    {
        if (signer.Key is not null && !ContentDigest.Matches(signature.ContentDigest, body))
        {
            return HeartbeatRefusal.Unsigned(SignatureVerdict.WrongDigest);
        }

        if (!BeatJson.TryParse(body, out Beat? beat, out var reason))
        {
            return HeartbeatRefusal.Malformed(reason);
        }

        if (!signer.MaySpeakFor(beat.From.Id))
        {
            return HeartbeatRefusal.Unsigned(SignatureVerdict.WrongNode);
        }

        PrepareReply(keys, response, receive(beat), signature);
        return null;
    }

    private static HeartbeatRefusal Refusal(BodyOutcome outcome) => outcome switch
    {
        BodyOutcome.TooLarge => HeartbeatRefusal.TooLarge,
        BodyOutcome.TooSlow => HeartbeatRefusal.TooSlow,
        _ => HeartbeatRefusal.BadFraming,
    };

    private void PrepareReply(KeyRing keys, HttpResponse response, BeatReply reply, SignatureHeaders request)
    {
        var body = BeatJson.Serialize(reply);
        response.StatusCode = BeatStatusCodes.ToHttp(reply.Status);
        response.ContentType = JsonType;
        response.ContentLength = body.Length;
        if (keys.Signer is { } key)
        {
            SignedReply.Sign(response, key, response.StatusCode, body, request, wallClock.GetUtcNow());
        }

        response.BodyWriter.Write(body);
    }

    private Task RefuseAsync(HttpContext context, HeartbeatRefusal refusal)
    {
        rejected?.Invoke(refusal.Reason);
        return refusal.WriteAsync(context);
    }
}
