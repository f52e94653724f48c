using Ha.Heartbeat;
using Ha.Security;
using Ha.Tests.Heartbeat;
using Ha.Tests.Security.Signing;

namespace Ha.Tests.Fuzzing;

/// <summary>
/// The signatures: nothing makes the verifier throw, and it accepts exactly what was signed with a known key for exactly
/// these bytes. Inputs are signed messages of known keys, of strangers and of forgers that claim to be known, with
/// changes and with parts of one message in another.
/// </summary>
internal static class VerifierFuzz
{
    private const long Created = 1_763_700_001;
    private static readonly int[] _statuses = [200, 403, 409, 412];

    // Two secrets and two nodes' public keys are known; a third node and another secret are not.
    private static readonly KeyRing _ring = NodeKeys.Ring(null, ["a", "b"], Rings.OldSecret, Rings.NewSecret);
    private static readonly Signer[] _signers = Signers();
    private static readonly SignedRequest[] _requests = [.. from signer in _signers from seq in Enumerable.Range(1, 3) select SignRequest(signer, seq)];
    private static readonly SignedReply[] _replies = [.. from request in _requests from status in _statuses select SignReply(request, status)];

    public static FuzzTarget Requests { get; } = new("verifier, requests", Request);

    public static FuzzTarget Replies { get; } = new("verifier, replies", Reply);

    private static string Request(Mutator mutator)
    {
        var (headers, body) = Change(mutator, _requests[mutator.Next(_requests.Length)].Message, _requests[mutator.Next(_requests.Length)].Message);

        var verdict = HeartbeatSignature.VerifyRequest(_ring, headers, body);

        RingKey by = default;
        if (verdict == SignatureVerdict.Valid)
        {
            HeartbeatSignature.VerifyRequestHeaders(_ring, headers, out by);
        }

        var signed = Array.Find(_requests, request => request.Signer.Known && request.Message.Is(headers, body));
        return Judge(verdict, signed?.Signer, by, () => $"{headers} {Convert.ToBase64String(body)}");
    }

    private static string Reply(Mutator mutator)
    {
        var original = _replies[mutator.Next(_replies.Length)];
        var (headers, body) = Change(mutator, original.Message, _replies[mutator.Next(_replies.Length)].Message);
        var status = mutator.Next(6) == 0 ? _statuses[mutator.Next(_statuses.Length)] : original.Status;
        var asked = (mutator.Next(6) == 0 ? _requests[mutator.Next(_requests.Length)] : original.Request).Message.Headers;

        var verdict = HeartbeatSignature.VerifyReply(_ring, headers, status, body, asked, out var by);

        var signed = Array.Find(_replies, reply => reply.Request.Signer.Known && reply.Status == status
            && reply.Message.Is(headers, body) && string.Equals(reply.Request.Message.Headers.Signature, asked.Signature, StringComparison.Ordinal));
        return Judge(verdict, signed?.Request.Signer, by, () => $"{status} {headers} {Convert.ToBase64String(body)} to {asked}");
    }

    private static string Judge(SignatureVerdict verdict, Signer? signer, RingKey by, Func<string> input)
    {
        FuzzFault.Unless(verdict != SignatureVerdict.Valid || signer is not null, "accepted, and nobody known signed it", input);
        FuzzFault.Unless(verdict == SignatureVerdict.Valid || signer is null, $"refused as {verdict}, and it is signed", input);
        FuzzFault.Unless(signer is null || (by.Key.KeyId == signer.Key.KeyId && by.NodeId == signer.NodeId), "taken for another signer's", input);
        return verdict == SignatureVerdict.Valid ? FuzzReport.Accepted : verdict.Word();
    }

    /// <summary>Changes or swaps one of the four parts, sometimes two, now and then none.</summary>
    private static (SignatureHeaders Headers, byte[] Body) Change(Mutator mutator, Message message, Message other)
    {
        var (headers, body) = (message.Headers, message.Body);
        for (var parts = mutator.Next(4) == 0 ? 2 : 1; parts > 0; parts--)
        {
            var swap = mutator.Next(8) == 0;
            switch (mutator.Next(4))
            {
                case 0: headers = headers with { ContentDigest = swap ? other.Headers.ContentDigest : mutator.Mutate(headers.ContentDigest!) }; break;
                case 1: headers = headers with { SignatureInput = swap ? other.Headers.SignatureInput : mutator.Mutate(headers.SignatureInput!) }; break;
                case 2: headers = headers with { Signature = swap ? other.Headers.Signature : mutator.Mutate(headers.Signature!) }; break;
                default: body = swap ? other.Body : mutator.Mutate(body); break;
            }
        }

        return (headers, body);
    }

    private static Signer[] Signers()
    {
        HaKey oldSecret = new HmacKey(Rings.OldSecret), newSecret = new HmacKey(Rings.NewSecret), otherSecret = new HmacKey("a secret of somebody else");
        HaKey a = NodeKeys.Ring("a", ["a"]).Signer!, b = NodeKeys.Ring("b", ["b"]).Signer!, stranger = NodeKeys.Ring("c", ["c"]).Signer!;

        // A public key is no secret: whoever takes it for one must not get in with it.
        HaKey publicAsSecret = new HmacKey(Convert.FromBase64String(a.PublicKey!));
        return
        [
            new(oldSecret, null, Known: true), new(newSecret, null, Known: true), new(a, "a", Known: true), new(b, "b", Known: true),
            new(otherSecret, null, Known: false), new(stranger, "c", Known: false), new(publicAsSecret, null, Known: false),
            new(new Forger(otherSecret, oldSecret.KeyId, oldSecret.Algorithm), null, Known: false),
            new(new Forger(stranger, a.KeyId, a.Algorithm), null, Known: false),
            new(new Forger(publicAsSecret, a.KeyId, HmacKey.AlgorithmName), null, Known: false),
            new(new Forger(publicAsSecret, a.KeyId, a.Algorithm), null, Known: false),
        ];
    }

    private static SignedRequest SignRequest(Signer signer, long seq)
    {
        var body = BeatJson.Serialize(Beats.Request(seq));
        return new SignedRequest(signer, new Message(HeartbeatSignature.SignRequest(signer.Key, body, Created), body));
    }

    private static SignedReply SignReply(SignedRequest request, int status)
    {
        var body = BeatJson.Serialize(Beats.Reply());
        return new SignedReply(request, status, new Message(HeartbeatSignature.SignReply(request.Signer.Key, status, body, request.Message.Headers, Created), body));
    }

    /// <param name="Key">Signs.</param>
    /// <param name="NodeId">The one node the ring takes the key for.</param>
    /// <param name="Known">The ring has it.</param>
    private sealed record Signer(HaKey Key, string? NodeId, bool Known);

    private sealed record Message(SignatureHeaders Headers, byte[] Body)
    {
        public bool Is(SignatureHeaders headers, byte[] body) => Headers == headers && Body.AsSpan().SequenceEqual(body);
    }

    private sealed record SignedRequest(Signer Signer, Message Message);

    private sealed record SignedReply(SignedRequest Request, int Status, Message Message);
}
