using Ha.Security;

namespace Ha.Tests.Security.Signing.Keys;

/// <summary>What every algorithm's keys must do, shared secrets and key pairs alike.</summary>
public abstract class KeyConformance
{
    private static readonly byte[] _data = "\"@method\": POST\n"u8.ToArray();

    /// <summary>A key that signs, the same at every call.</summary>
    private protected abstract HaKey Key { get; }

    /// <summary>What the others verify with.</summary>
    private protected abstract HaKey Verifier { get; }

    /// <summary>A key of the same algorithm that is not that one.</summary>
    private protected abstract HaKey OtherKey { get; }

    protected abstract string Algorithm { get; }

    protected abstract int SignatureBytes { get; }

    /// <summary>The secret parts in the forms in which they could leak.</summary>
    protected abstract IEnumerable<string> SecretTexts { get; }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(1024)]
    public void What_it_signs_it_verifies_whatever_the_length(int length)
    {
        var data = new byte[length];
        new Random(length).NextBytes(data);

        Assert.Equal(SignatureBytes, Key.Sign(data).Length);
        Assert.True(Verifier.Verify(data, Key.Sign(data)));
        Assert.True(Key.Verify(data, Key.Sign(data)));
    }

    [Fact]
    public void No_bit_of_data_or_signature_can_change()
    {
        var signature = Key.Sign(_data);
        for (var bit = 0; bit < 8 * signature.Length; bit++)
        {
            Assert.False(Verifier.Verify(_data, Flip(signature, bit)), $"bit {bit} of the signature");
        }

        for (var bit = 0; bit < 8 * _data.Length; bit++)
        {
            Assert.False(Verifier.Verify(Flip(_data, bit), signature), $"bit {bit} of the data");
        }
    }

    [Fact]
    public void Signatures_of_other_lengths_are_refused()
    {
        var signature = Key.Sign(_data);

        Assert.False(Verifier.Verify(_data, []));
        Assert.False(Verifier.Verify(_data, signature.AsSpan(1)));
        Assert.False(Verifier.Verify(_data, signature.AsSpan(0, signature.Length - 1)));
        Assert.False(Verifier.Verify(_data, [.. signature, 0]));
        Assert.False(Verifier.Verify(_data, [.. signature, .. signature]));
    }

    [Theory]
    [InlineData(0x00)]
    [InlineData(0x01)]
    [InlineData(0x7F)]
    [InlineData(0xFF)]
    public void Signatures_without_meaning_are_refused_and_do_not_throw(byte value)
    {
        var signature = new byte[SignatureBytes];
        Array.Fill(signature, value);

        Assert.False(Verifier.Verify(_data, signature));
        Assert.False(Verifier.Verify([], signature));
    }

    [Fact]
    public void Another_key_of_the_algorithm_does_not_verify() => Assert.False(OtherKey.Verify(_data, Key.Sign(_data)));

    [Fact]
    public void Both_sides_name_it_alike_and_another_key_has_another_id()
    {
        Assert.Equal(Key.KeyId, Verifier.KeyId);
        Assert.NotEqual(Key.KeyId, OtherKey.KeyId);
        Assert.Matches("^[0-9a-f]{16,32}$", Key.KeyId);
        Assert.Equal((Algorithm, Algorithm), (Key.Algorithm, Verifier.Algorithm));
    }

    [Fact]
    public void No_text_form_shows_what_is_secret()
    {
        var signed = HeartbeatSignature.SignRequest(Key, _data, 1);
        var text = $"{Key} {Verifier} {new RingKey(Key, "n")} {signed}";

        Assert.Contains($"{Algorithm} key {Key.KeyId}", text, StringComparison.Ordinal);
        Assert.All(SecretTexts, secret => Assert.DoesNotContain(secret, text, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void Many_threads_may_use_it_at_once() => Parallel.For(0, 64, i =>
    {
        byte[] data = [.. _data, (byte)i];
        Assert.True(Verifier.Verify(data, Key.Sign(data)));
    });

    [Fact]
    public void Heartbeats_and_their_replies_are_valid()
    {
        var request = HeartbeatSignature.SignRequest(Key, _data, 1_763_700_001);
        var reply = HeartbeatSignature.SignReply(Key, 200, _data, request, 1_763_700_001);

        Assert.Equal(SignatureVerdict.Valid, HeartbeatSignature.VerifyRequest(Ring(Verifier), request, _data));
        Assert.Equal(SignatureVerdict.Valid, HeartbeatSignature.VerifyReply(Ring(Verifier), reply, 200, _data, request, out var signer));
        Assert.Equal((Key.KeyId, null), (signer.Key.KeyId, signer.NodeId));
        Assert.Equal(SignatureVerdict.BadSignature, HeartbeatSignature.VerifyReply(Ring(Verifier), reply, 409, _data, request, out _));
        Assert.Equal(SignatureVerdict.UnknownKey, HeartbeatSignature.VerifyRequest(Ring(OtherKey), request, _data));
    }

    [Theory]
    [InlineData("hmac-sha256")]
    [InlineData("ecdsa-p256-sha256")]
    [InlineData("ed25519")]
    [InlineData("rsa-v1_5-sha256")]
    public void No_message_can_name_another_algorithm_for_it(string algorithm)
    {
        var signed = HeartbeatSignature.SignRequest(Key, _data, 1);
        var renamed = signed with { SignatureInput = signed.SignatureInput!.Replace(Algorithm, algorithm, StringComparison.Ordinal) };

        Assert.Equal(
            algorithm == Algorithm ? SignatureVerdict.Valid : SignatureVerdict.WrongAlgorithm,
            HeartbeatSignature.VerifyRequest(Ring(Verifier), renamed, _data));
    }

    internal static KeyRing Ring(HaKey key, string? nodeId = null) => new([new RingKey(key, nodeId)]);

    private static byte[] Flip(byte[] bytes, int bit)
    {
        var copy = bytes.ToArray();
        copy[bit / 8] ^= (byte)(1 << (bit % 8));
        return copy;
    }
}
