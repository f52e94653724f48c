using Ha.Security;

namespace Ha.Tests.Security.Signing;

public class HeartbeatSignatureTests
{
    private const long Created = 1_763_700_001;
    private static readonly byte[] _body = "{\"hello\":\"world\"}"u8.ToArray();
    private static readonly byte[] _reply = "{\"hello\":\"back\"}"u8.ToArray();
    private static readonly SignatureHeaders _request = HeartbeatSignature.SignRequest(Rings.Old.Signer!, _body, Created);

    // Fixed vectors: computed once with Python's hashlib and hmac from the text of the RFC, not with this code.
    private const string KeyId = "86322710faa96010";
    private const string RequestDigest = "sha-256=:k6I5cakU5erL8KjSUVTNownDwccvu5kU1Hxg88toFYg=:";
    private const string RequestSignature = "ha=:q9bHaNrk2HsI2ffAgDblNVkmbWX/iQWQXMspQmrBzMQ=:";
    private const string ReplyDigest = "sha-256=:45A4baRJv34pFqyxui4KLv//kdn0B3z/VNzGO/gKh7E=:";
    private const string ReplySignature = "ha=:ycfOemZjKQh/Tc8dfjV13WIMwynMycTp5JxgQppZFWI=:";

    [Fact]
    public void The_request_headers_are_these()
    {
        Assert.Equal(RequestDigest, _request.ContentDigest);
        Assert.Equal(
            $"ha=(\"@method\" \"@path\" \"content-digest\");created=1763700001;keyid=\"{KeyId}\";alg=\"hmac-sha256\";tag=\"ha\"",
            _request.SignatureInput);
        Assert.Equal(RequestSignature, _request.Signature);
    }

    [Fact]
    public void The_reply_headers_are_these()
    {
        var reply = HeartbeatSignature.SignReply(Rings.Old.Signer!, 409, _reply, _request, Created);

        Assert.Equal(ReplyDigest, reply.ContentDigest);
        Assert.Equal(
            $"ha=(\"@status\" \"content-digest\" \"signature\";req;key=\"ha\");created=1763700001;keyid=\"{KeyId}\";alg=\"hmac-sha256\";tag=\"ha\"",
            reply.SignatureInput);
        Assert.Equal(ReplySignature, reply.Signature);
    }

    [Fact]
    public void What_was_signed_is_valid()
    {
        var reply = HeartbeatSignature.SignReply(Rings.Old.Signer!, 409, _reply, _request, Created);

        Assert.Equal(SignatureVerdict.Valid, HeartbeatSignature.VerifyRequest(Rings.Old, _request, _body));
        Assert.Equal(SignatureVerdict.Valid, HeartbeatSignature.VerifyReply(Rings.Old, reply, 409, _reply, _request, out _));
    }

    [Fact]
    public void Another_body_is_refused()
    {
        var reply = HeartbeatSignature.SignReply(Rings.Old.Signer!, 409, _reply, _request, Created);

        Assert.Equal(SignatureVerdict.WrongDigest, HeartbeatSignature.VerifyRequest(Rings.Old, _request, _reply));
        Assert.Equal(SignatureVerdict.WrongDigest, HeartbeatSignature.VerifyReply(Rings.Old, reply, 409, _body, _request, out _));
    }

    [Fact]
    public void Another_body_with_its_own_digest_is_refused()
    {
        var other = HeartbeatSignature.SignRequest(Rings.Old.Signer!, _reply, Created);
        var swapped = _request with { ContentDigest = other.ContentDigest };

        Assert.Equal(SignatureVerdict.BadSignature, HeartbeatSignature.VerifyRequest(Rings.Old, swapped, _reply));
    }

    [Fact]
    public void A_reply_is_good_for_its_status_and_its_request_only()
    {
        var reply = HeartbeatSignature.SignReply(Rings.Old.Signer!, 409, _reply, _request, Created);
        var other = HeartbeatSignature.SignRequest(Rings.Old.Signer!, _body, Created + 1);

        Assert.Equal(SignatureVerdict.BadSignature, HeartbeatSignature.VerifyReply(Rings.Old, reply, 200, _reply, _request, out _));
        Assert.Equal(SignatureVerdict.BadSignature, HeartbeatSignature.VerifyReply(Rings.Old, reply, 409, _reply, other, out _));
    }

    [Fact]
    public void A_request_cannot_pass_as_a_reply_nor_a_reply_as_a_request()
    {
        var reply = HeartbeatSignature.SignReply(Rings.Old.Signer!, 200, _reply, _request, Created);

        Assert.Equal(SignatureVerdict.WrongComponents, HeartbeatSignature.VerifyRequest(Rings.Old, reply, _reply));
        Assert.Equal(SignatureVerdict.WrongComponents, HeartbeatSignature.VerifyReply(Rings.Old, _request, 200, _body, _request, out _));
    }

    [Theory]
    [InlineData("(\"@method\" \"@path\" \"content-digest\")", "(\"@method\" \"content-digest\" \"@path\")", nameof(SignatureVerdict.WrongComponents))]
    [InlineData("(\"@method\" \"@path\" \"content-digest\")", "(\"@method\" \"@path\")", nameof(SignatureVerdict.WrongComponents))]
    [InlineData("(\"@method\" \"@path\" \"content-digest\")", "()", nameof(SignatureVerdict.WrongComponents))]
    [InlineData("(\"@method\" \"@path\" \"content-digest\")", "(\"@method\" \"@path\" \"content-digest\" \"date\")", nameof(SignatureVerdict.WrongComponents))]
    [InlineData("(\"@method\" \"@path\" \"content-digest\")", "(\"@method\" \"@path\" \"content-digest\";sf)", nameof(SignatureVerdict.WrongComponents))]
    [InlineData("(\"@method\" \"@path\" \"content-digest\")", "(\"@method\"  \"@path\" \"content-digest\")", nameof(SignatureVerdict.WrongComponents))]
    [InlineData("ha=", "sig1=", nameof(SignatureVerdict.Malformed))]
    [InlineData("ha=", "Ha=", nameof(SignatureVerdict.Malformed))]
    [InlineData("ha=", "ha =", nameof(SignatureVerdict.Malformed))]
    [InlineData("ha=", "x=1, ha=", nameof(SignatureVerdict.Malformed))]
    [InlineData(";tag=\"ha\"", ";tag=\"ha\", other=()", nameof(SignatureVerdict.Malformed))]
    [InlineData(";tag=\"ha\"", ";tag=\"ha\" ", nameof(SignatureVerdict.Malformed))]
    [InlineData(";tag=\"ha\"", "", nameof(SignatureVerdict.Malformed))]
    [InlineData(";tag=\"ha\"", ";tag=\"web-bot-auth\"", nameof(SignatureVerdict.Malformed))]
    [InlineData(";tag=\"ha\"", ";tag=\"ha\";tag=\"ha\"", nameof(SignatureVerdict.Malformed))]
    [InlineData(";tag=\"ha\"", ";tag=ha", nameof(SignatureVerdict.Malformed))]
    [InlineData(";tag=\"ha\"", ";tag=\"ha\";nonce=\"1\"", nameof(SignatureVerdict.Malformed))]
    [InlineData(";tag=\"ha\"", ";tag=\"ha\";expires=1", nameof(SignatureVerdict.Malformed))]
    [InlineData(";created=1763700001", "", nameof(SignatureVerdict.Malformed))]
    [InlineData(";created=1763700001", ";created=-1", nameof(SignatureVerdict.Malformed))]
    [InlineData(";created=1763700001", ";created=01763700001", nameof(SignatureVerdict.Malformed))]
    [InlineData(";created=1763700001", ";created=1763700001.0", nameof(SignatureVerdict.Malformed))]
    [InlineData(";created=1763700001", ";created=1234567890123456", nameof(SignatureVerdict.Malformed))]
    [InlineData(";created=1763700001", "; created=1763700001", nameof(SignatureVerdict.Malformed))]
    [InlineData(";created=1763700001", ";created=1763700001;created=1763700001", nameof(SignatureVerdict.Malformed))]
    [InlineData(";created=1763700001", ";created=1763700002", nameof(SignatureVerdict.BadSignature))]
    [InlineData(";alg=\"hmac-sha256\"", "", nameof(SignatureVerdict.Malformed))]
    [InlineData(";alg=\"hmac-sha256\"", ";alg=\"ecdsa-p256-sha256\"", nameof(SignatureVerdict.WrongAlgorithm))]
    [InlineData(";alg=\"hmac-sha256\"", ";alg=\"HMAC-SHA256\"", nameof(SignatureVerdict.WrongAlgorithm))]
    [InlineData(";alg=\"hmac-sha256\"", ";alg=\"none\"", nameof(SignatureVerdict.WrongAlgorithm))]
    [InlineData(";alg=\"hmac-sha256\"", ";alg=\"hmac-sha256\";alg=\"hmac-sha256\"", nameof(SignatureVerdict.Malformed))]
    [InlineData("keyid=\"", "keyid=\"0", nameof(SignatureVerdict.UnknownKey))]
    [InlineData("keyid=\"", "keyid=\"\\\\", nameof(SignatureVerdict.Malformed))]
    [InlineData("keyid=\"", "keyid=\"ä", nameof(SignatureVerdict.Malformed))]
    [InlineData("keyid=\"", "keyid=", nameof(SignatureVerdict.Malformed))]
    public void Any_other_signature_input_is_refused(string old, string replacement, string verdict)
    {
        Assert.Contains(old, _request.SignatureInput, StringComparison.Ordinal);
        var headers = _request with { SignatureInput = _request.SignatureInput!.Replace(old, replacement, StringComparison.Ordinal) };

        Assert.Equal(Enum.Parse<SignatureVerdict>(verdict), HeartbeatSignature.VerifyRequest(Rings.Old, headers, _body));
    }

    [Fact]
    public void Parameters_in_another_order_are_valid_when_they_were_signed_so()
    {
        const string Parameters =
            $"(\"@method\" \"@path\" \"content-digest\");tag=\"ha\";alg=\"hmac-sha256\";keyid=\"{KeyId}\";created=1763700001";
        var lines = SignatureBase.Build(
            Parameters, ("\"@method\"", "POST"), ("\"@path\"", "/_ha/heartbeat"), ("\"content-digest\"", RequestDigest));
        var signature = Rings.Old.Signer!.Sign(lines);
        var headers = new SignatureHeaders(RequestDigest, $"ha={Parameters}", $"ha=:{Convert.ToBase64String(signature)}:");

        Assert.Equal(SignatureVerdict.Valid, HeartbeatSignature.VerifyRequest(Rings.Old, headers, _body));
    }

    [Theory]
    [InlineData("")]
    [InlineData("ha")]
    [InlineData("ha=")]
    [InlineData("ha=:")]
    [InlineData("ha=::")]
    [InlineData("ha=:AAAA:")]
    [InlineData("sig=:AAAA:")]
    [InlineData("ha=:!!!!:")]
    [InlineData("ha=\"AAAA\"")]
    [InlineData("ha=:AAAA:;p=1")]
    [InlineData("ha=:AAAA:, ha=:AAAA:")]
    [InlineData("ha=?1")]
    public void Any_other_signature_is_refused(string signature)
    {
        var headers = _request with { Signature = signature };

        Assert.NotEqual(SignatureVerdict.Valid, HeartbeatSignature.VerifyRequest(Rings.Old, headers, _body));
        Assert.Contains("Signature", headers.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void One_signature_has_one_spelling()
    {
        var item = _request.Signature!;
        var strayBits = item[..^3] + (char)(item[^3] + 1) + item[^2..];
        var whiteSpace = item.Replace("ha=:", "ha=: ", StringComparison.Ordinal);
        var unpadded = item.Replace("=:", ":", StringComparison.Ordinal).Replace("ha:", "ha=:", StringComparison.Ordinal);

        foreach (var spelling in new[] { strayBits, whiteSpace, unpadded })
        {
            Assert.NotEqual(item, spelling, StringComparer.Ordinal);
            Assert.Equal(SignatureVerdict.Malformed, HeartbeatSignature.VerifyRequest(Rings.Old, _request with { Signature = spelling }, _body));
        }
    }

    [Theory]
    [InlineData("sha-512=:AAAA:")]
    [InlineData("sha-256=:AAAA:")]
    [InlineData("SHA-256=:oTqc:")]
    [InlineData("sha-256")]
    public void Any_other_digest_is_malformed(string digest)
    {
        var verdict = HeartbeatSignature.VerifyRequest(Rings.Old, _request with { ContentDigest = digest }, _body);

        Assert.Equal(SignatureVerdict.Malformed, verdict);
    }

    [Fact]
    public void A_second_digest_beside_the_right_one_is_malformed()
    {
        var headers = _request with { ContentDigest = $"{RequestDigest}, sha-512=:AAAA:" };

        Assert.Equal(SignatureVerdict.Malformed, HeartbeatSignature.VerifyRequest(Rings.Old, headers, _body));
    }

    [Fact]
    public void A_header_that_is_absent_makes_the_message_unsigned()
    {
        foreach (var headers in new[]
        {
            default,
            _request with { ContentDigest = null },
            _request with { SignatureInput = null },
            _request with { Signature = null },
        })
        {
            Assert.Equal(SignatureVerdict.Missing, HeartbeatSignature.VerifyRequest(Rings.Old, headers, _body));
        }
    }

    [Fact]
    public void A_header_that_is_repeated_is_refused_even_with_equal_values()
    {
        Assert.False(SignatureHeaders.TryRead(new([RequestDigest, RequestDigest]), "", "", out _));
        Assert.False(SignatureHeaders.TryRead("", new(["a", "b"]), "", out _));
        Assert.False(SignatureHeaders.TryRead("", "", new(["a", "b"]), out _));
        Assert.True(SignatureHeaders.TryRead("a", "b", "c", out var headers));
        Assert.Equal(new SignatureHeaders("a", "b", "c"), headers);
    }
}
