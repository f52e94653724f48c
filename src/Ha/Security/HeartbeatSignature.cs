using System.Globalization;
using System.Text;
using Ha.Http;

namespace Ha.Security;

/// <summary>
/// Signs and verifies the two messages of a heartbeat by RFC 9421, with exactly the components of the contract. Never
/// throws on what came from the network. Nothing here allocates but for one string per key and second.
/// </summary>
internal static class HeartbeatSignature
{
    public const string Path = HaRoutes.Heartbeat;
    private const string RequestComponents = "(\"@method\" \"@path\" \"content-digest\")";
    private const string ReplyComponents = "(\"@status\" \"content-digest\" \"signature\";req;key=\"ha\")";
    private static readonly byte[] _methodAndPath = Encoding.ASCII.GetBytes($"\"@method\": POST\n\"@path\": {Path}\n");

    /// <param name="key">The key that signs.</param>
    /// <param name="body">The request's content.</param>
    /// <param name="created">Unix seconds.</param>
    public static SignatureHeaders SignRequest(HaKey key, ReadOnlySpan<byte> body, long created) =>
        SignRequest(key, body, created, stackalloc char[SignedHeaders.MaxLength]).ToStrings();

    /// <summary>As above; the result lies in the <paramref name="buffer"/> of <see cref="SignedHeaders.MaxLength"/> characters.</summary>
    public static SignedHeaders SignRequest(HaKey key, ReadOnlySpan<byte> body, long created, Span<char> buffer)
    {
        var digest = buffer[..ContentDigest.Length];
        ContentDigest.Write(body, digest);
        var lines = new SignatureBase(stackalloc byte[SignatureBase.MaxBytes]);
        RequestLines(ref lines, digest);
        return Sign(key, lines, SignatureInput.Format(RequestComponents, created, key, ref key.RequestInput), buffer);
    }

    /// <param name="key">The key that signs.</param>
    /// <param name="status">The reply's HTTP status.</param>
    /// <param name="body">The reply's content.</param>
    /// <param name="request">The request's headers, verified; the reply is good for this request only.</param>
    /// <param name="created">Unix seconds.</param>
    public static SignatureHeaders SignReply(HaKey key, int status, ReadOnlySpan<byte> body, SignatureHeaders request, long created) =>
        SignReply(key, status, body, request, created, stackalloc char[SignedHeaders.MaxLength]).ToStrings();

    /// <summary>As above; the result lies in the <paramref name="buffer"/> of <see cref="SignedHeaders.MaxLength"/> characters.</summary>
    public static SignedHeaders SignReply(
        HaKey key, int status, ReadOnlySpan<byte> body, SignatureHeaders request, long created, Span<char> buffer)
    {
        var digest = buffer[..ContentDigest.Length];
        ContentDigest.Write(body, digest);
        var lines = new SignatureBase(stackalloc byte[SignatureBase.MaxBytes]);
        ReplyLines(ref lines, status, digest, request);
        return Sign(key, lines, SignatureInput.Format(ReplyComponents, created, key, ref key.ReplyInput), buffer);
    }

    /// <summary>
    /// Judges a request by its headers alone, so that nobody without a key makes this node read a body. When it is
    /// valid, the body must still match by <see cref="ContentDigest.Matches"/> and the sender by
    /// <see cref="RingKey.MaySpeakFor"/>.
    /// </summary>
    public static SignatureVerdict VerifyRequestHeaders(KeyRing keys, SignatureHeaders headers, out RingKey signer)
    {
        var verdict = Open(keys, headers, RequestComponents, out signer, out var input);
        if (verdict != SignatureVerdict.Valid)
        {
            return verdict;
        }

        var lines = new SignatureBase(stackalloc byte[SignatureBase.MaxBytes]);
        RequestLines(ref lines, headers.ContentDigest);
        return Verify(signer.Key, ref lines, input, headers);
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
        var verdict = Open(keys, headers, ReplyComponents, out signer, out var input);
        if (verdict != SignatureVerdict.Valid)
        {
            return verdict;
        }

        if (!ContentDigest.Matches(headers.ContentDigest, body))
        {
            return SignatureVerdict.WrongDigest;
        }

        var lines = new SignatureBase(stackalloc byte[SignatureBase.MaxBytes]);
        ReplyLines(ref lines, status, headers.ContentDigest, request);
        return Verify(signer.Key, ref lines, input, headers);
    }

    private static void RequestLines(ref SignatureBase lines, ReadOnlySpan<char> digest)
    {
        lines.Lines(_methodAndPath);
        lines.Component("\"content-digest\"", digest);
    }

    private static void ReplyLines(ref SignatureBase lines, int status, ReadOnlySpan<char> digest, SignatureHeaders request)
    {
        Span<char> code = stackalloc char[11];
        status.TryFormat(code, out var length, provider: CultureInfo.InvariantCulture);
        lines.Component("\"@status\"", code[..length]);
        lines.Component("\"content-digest\"", digest);
        lines.Component("\"signature\";req;key=\"ha\"", request.SignatureItem());
    }

    private static SignedHeaders Sign(HaKey key, scoped SignatureBase lines, string input, Span<char> buffer)
    {
        lines.SignatureParams(input.AsSpan(SignatureHeaders.LabelPrefix.Length));
        if (!lines.Valid)
        {
            throw new InvalidOperationException("The signature base is too long or not ASCII.");
        }

        Span<byte> signature = stackalloc byte[key.SignatureBytes];
        key.Sign(lines.Written, signature);
        var item = buffer.Slice(ContentDigest.Length, SignatureHeaders.LabelPrefix.Length + ByteItem.Length(signature.Length));
        SignatureHeaders.LabelPrefix.CopyTo(item);
        ByteItem.Write(signature, item[SignatureHeaders.LabelPrefix.Length..]);
        return new SignedHeaders(buffer[..ContentDigest.Length], input, item);
    }

    /// <summary>Everything that can be refused without cryptography.</summary>
    private static SignatureVerdict Open(
        KeyRing keys, SignatureHeaders headers, string components, out RingKey signer, out SignatureInput input)
    {
        signer = default;
        input = default;
        if (!headers.Complete)
        {
            return SignatureVerdict.Missing;
        }

        if (!ContentDigest.IsWellFormed(headers.ContentDigest))
        {
            return SignatureVerdict.Malformed;
        }

        var verdict = SignatureInput.Parse(headers.SignatureInput, components, out input);
        if (verdict != SignatureVerdict.Valid)
        {
            return verdict;
        }

        return !keys.TryFind(input.KeyId, out signer) ? SignatureVerdict.UnknownKey
            : input.Algorithm.SequenceEqual(signer.Key.Algorithm) ? SignatureVerdict.Valid
            : SignatureVerdict.WrongAlgorithm;
    }

    private static SignatureVerdict Verify(HaKey key, ref SignatureBase lines, SignatureInput input, SignatureHeaders headers)
    {
        Span<byte> signature = stackalloc byte[HaKey.MaxSignatureBytes];
        if (!headers.Signature!.StartsWith(SignatureHeaders.LabelPrefix, StringComparison.Ordinal) ||
            !ByteItem.TryRead(headers.SignatureItem(), signature, out var length))
        {
            return SignatureVerdict.Malformed;
        }

        lines.SignatureParams(input.Parameters);
        return lines.Valid && key.Verify(lines.Written, signature[..length])
            ? SignatureVerdict.Valid
            : SignatureVerdict.BadSignature;
    }
}
