using System.Globalization;
using Ha.Http;

namespace Ha.Security;

/// <summary>
/// Signs and verifies the two messages of a heartbeat by RFC 9421, with exactly the components of the contract. Never
/// throws on what came from the network.
/// </summary>
internal static class HeartbeatSignature
{
    public const string Path = HaRoutes.Heartbeat;
    private const string RequestComponents = "(\"@method\" \"@path\" \"content-digest\")";
    private const string ReplyComponents = "(\"@status\" \"content-digest\" \"signature\";req;key=\"ha\")";

    /// <param name="key">The key that signs.</param>
    /// <param name="body">The request's content.</param>
    /// <param name="created">Unix seconds.</param>
    public static SignatureHeaders SignRequest(HaKey key, ReadOnlySpan<byte> body, long created)
    {
        var digest = ContentDigest.Of(body);
        var parameters = SignatureInput.Format(RequestComponents, created, key);
        return Sign(key, digest, parameters, RequestBase(digest, parameters));
    }

    /// <param name="key">The key that signs.</param>
    /// <param name="status">The reply's HTTP status.</param>
    /// <param name="body">The reply's content.</param>
    /// <param name="request">The request's headers, verified; the reply is good for this request only.</param>
    /// <param name="created">Unix seconds.</param>
    public static SignatureHeaders SignReply(HaKey key, int status, ReadOnlySpan<byte> body, SignatureHeaders request, long created)
    {
        var digest = ContentDigest.Of(body);
        var parameters = SignatureInput.Format(ReplyComponents, created, key);
        return Sign(key, digest, parameters, ReplyBase(status, digest, request, parameters));
    }

    /// <summary>
    /// Judges a request by its headers alone, so that nobody without a key makes this node read a body. When it is
    /// valid, the body must still match by <see cref="ContentDigest.Matches"/> and the sender by
    /// <see cref="RingKey.MaySpeakFor"/>.
    /// </summary>
    public static SignatureVerdict VerifyRequestHeaders(KeyRing keys, SignatureHeaders headers, out RingKey signer)
    {
        var verdict = Open(keys, headers, RequestComponents, out signer, out var parameters);
        return verdict == SignatureVerdict.Valid ? Verify(signer.Key, headers, RequestBase(headers.ContentDigest!, parameters)) : verdict;
    }

    /// <summary>Judges a whole request but for its sender.</summary>
    public static SignatureVerdict VerifyRequest(KeyRing keys, SignatureHeaders headers, ReadOnlySpan<byte> body)
    {
        var verdict = VerifyRequestHeaders(keys, headers, out _);
        return verdict == SignatureVerdict.Valid && !ContentDigest.Matches(headers.ContentDigest, body)
            ? SignatureVerdict.WrongDigest
            : verdict;
    }

    /// <summary>
    /// Judges a whole reply to the request that was sent with <paramref name="request"/>, but for whom it speaks for.
    /// </summary>
    public static SignatureVerdict VerifyReply(
        KeyRing keys, SignatureHeaders headers, int status, ReadOnlySpan<byte> body, SignatureHeaders request, out RingKey signer)
    {
        var verdict = Open(keys, headers, ReplyComponents, out signer, out var parameters);
        return verdict != SignatureVerdict.Valid ? verdict
            : !ContentDigest.Matches(headers.ContentDigest, body) ? SignatureVerdict.WrongDigest
            : Verify(signer.Key, headers, ReplyBase(status, headers.ContentDigest!, request, parameters));
    }

    private static byte[]? RequestBase(string digest, string parameters) => SignatureBase.Build(
        parameters, ("\"@method\"", "POST"), ("\"@path\"", Path), ("\"content-digest\"", digest));

    private static byte[]? ReplyBase(int status, string digest, SignatureHeaders request, string parameters) => SignatureBase.Build(
        parameters,
        ("\"@status\"", status.ToString(CultureInfo.InvariantCulture)),
        ("\"content-digest\"", digest),
        ("\"signature\";req;key=\"ha\"", request.SignatureItem));

    private static SignatureHeaders Sign(HaKey key, string digest, string parameters, byte[]? signed)
    {
        var signature = key.Sign(signed ?? throw new InvalidOperationException("The signature base is not ASCII."));
        return new SignatureHeaders(digest, SignatureHeaders.Label + parameters, SignatureHeaders.Label + ByteItem.Write(signature));
    }

    /// <summary>Everything that can be refused without cryptography.</summary>
    private static SignatureVerdict Open(
        KeyRing keys, SignatureHeaders headers, string components, out RingKey signer, out string parameters)
    {
        (signer, parameters) = (default, "");
        if (!headers.Complete)
        {
            return SignatureVerdict.Missing;
        }

        if (!ContentDigest.IsWellFormed(headers.ContentDigest!))
        {
            return SignatureVerdict.Malformed;
        }

        var verdict = SignatureInput.Parse(headers.SignatureInput!, components, out var input);
        if (input is null)
        {
            return verdict;
        }

        parameters = input.Parameters;
        return !keys.TryFind(input.KeyId, out signer) ? SignatureVerdict.UnknownKey
            : input.Algorithm == signer.Key.Algorithm ? SignatureVerdict.Valid
            : SignatureVerdict.WrongAlgorithm;
    }

    private static SignatureVerdict Verify(HaKey key, SignatureHeaders headers, byte[]? signed) =>
        !headers.Signature!.StartsWith(SignatureHeaders.Label, StringComparison.Ordinal) || ByteItem.Read(headers.SignatureItem) is not { } signature
            ? SignatureVerdict.Malformed
            : signed is not null && key.Verify(signed, signature) ? SignatureVerdict.Valid
            : SignatureVerdict.BadSignature;
}
