using System.Diagnostics.CodeAnalysis;
using Ha.Security;
using Microsoft.AspNetCore.Http;

namespace Ha.Heartbeat;

/// <summary>The signatures of a request and of its answer, in and out of their header fields.</summary>
internal static class HttpSignature
{
    /// <summary>Judges a request by its headers alone, see <see cref="HeartbeatSignature.VerifyRequestHeaders"/>.</summary>
    /// <param name="keys">The known ones.</param>
    /// <param name="request">Its body stays unread.</param>
    /// <param name="signature">The three fields, verified when the verdict is valid.</param>
    /// <param name="signer">Whose they are.</param>
    public static SignatureVerdict Verify(KeyRing keys, HttpRequest request, out SignatureHeaders signature, out RingKey signer)
    {
        signer = default;
        return SignatureHeaders.TryRead(
            request.Headers[SignatureHeaders.ContentDigestName],
            request.Headers[SignatureHeaders.SignatureInputName],
            request.Headers[SignatureHeaders.SignatureName],
            out signature)
            ? HeartbeatSignature.VerifyRequestHeaders(keys, signature, out signer)
            : SignatureVerdict.Malformed;
    }

    /// <param name="response">A fresh one with its status set.</param>
    /// <param name="key">The key that signs.</param>
    /// <param name="body">The content it will have.</param>
    /// <param name="request">The request's headers, verified.</param>
    /// <param name="created">Now.</param>
    [SuppressMessage("Usage", "ASP0019", Justification = "Each is set once on a fresh response.")]
    public static void Sign(HttpResponse response, HaKey key, ReadOnlySpan<byte> body, SignatureHeaders request, DateTimeOffset created)
    {
        var signed = HeartbeatSignature.SignReply(key, response.StatusCode, body, request, created.ToUnixTimeSeconds());
        response.Headers[SignatureHeaders.ContentDigestName] = signed.ContentDigest;
        response.Headers[SignatureHeaders.SignatureInputName] = signed.SignatureInput;
        response.Headers[SignatureHeaders.SignatureName] = signed.Signature;
    }
}
