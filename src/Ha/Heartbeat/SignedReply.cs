using System.Diagnostics.CodeAnalysis;
using Ha.Security;
using Microsoft.AspNetCore.Http;

namespace Ha.Heartbeat;

/// <summary>Puts the signature of an answer into its header fields.</summary>
internal static class SignedReply
{
    /// <param name="response">A fresh one.</param>
    /// <param name="key">The key that signs.</param>
    /// <param name="status">The status it will have.</param>
    /// <param name="body">The content it will have.</param>
    /// <param name="request">The request's headers, verified.</param>
    /// <param name="created">Now.</param>
    [SuppressMessage("Usage", "ASP0019", Justification = "Each is set once on a fresh response.")]
    public static void Sign(HttpResponse response, HaKey key, int status, ReadOnlySpan<byte> body, SignatureHeaders request, DateTimeOffset created)
    {
        var signed = HeartbeatSignature.SignReply(key, status, body, request, created.ToUnixTimeSeconds());
        response.Headers[SignatureHeaders.ContentDigestName] = signed.ContentDigest;
        response.Headers[SignatureHeaders.SignatureInputName] = signed.SignatureInput;
        response.Headers[SignatureHeaders.SignatureName] = signed.Signature;
    }
}
