using System.Runtime.CompilerServices;
using System.Text;
using Ha.Security;

namespace Ha.Tests.Security.Signing;

public class KeyRingTests
{
    private static readonly byte[] _body = "{}"u8.ToArray();

    [Fact]
    public void The_first_secret_signs_and_all_verify()
    {
        var both = Rings.Of(Rings.NewSecret, Rings.OldSecret);

        Assert.Equal(Rings.New.Signer!.KeyId, both.Signer!.KeyId);
        Assert.Equal(SignatureVerdict.Valid, Verify(Rings.Old, both));
        Assert.Equal(SignatureVerdict.Valid, Verify(Rings.New, both));
        Assert.Equal(SignatureVerdict.UnknownKey, Verify(both, Rings.Old));
    }

    [Fact]
    public void Three_rolls_replace_a_secret_while_neighbours_always_verify_each_other()
    {
        KeyRing[] rolls = [Rings.Old, Rings.Of(Rings.OldSecret, Rings.NewSecret), Rings.Of(Rings.NewSecret, Rings.OldSecret), Rings.New];
        for (var i = 1; i < rolls.Length; i++)
        {
            Assert.Equal(SignatureVerdict.Valid, Verify(rolls[i - 1], rolls[i]));
            Assert.Equal(SignatureVerdict.Valid, Verify(rolls[i], rolls[i - 1]));
        }
    }

    [Fact]
    public void A_key_under_another_keys_id_does_not_verify()
    {
        var signed = HeartbeatSignature.SignRequest(Rings.Old.Signer!, _body, 1);
        var renamed = signed with
        {
            SignatureInput = signed.SignatureInput!.Replace(Rings.Old.Signer!.KeyId, Rings.New.Signer!.KeyId, StringComparison.Ordinal),
        };

        Assert.Equal(SignatureVerdict.BadSignature, HeartbeatSignature.VerifyRequest(Rings.New, renamed, _body));
    }

    [Fact]
    public void Unsigned_needs_the_permission_and_no_secret()
    {
        var options = new HaOptions { Insecure = true };
        Assert.True(Rings.Of(options).Unsigned);

        options.ClusterSecrets.Add(Rings.OldSecret);
        Assert.False(Rings.Of(options).Unsigned);
        Assert.False(Rings.Of().Unsigned);
    }

    [Fact]
    public void Without_secret_and_permission_nothing_is_accepted()
    {
        Assert.Null(Rings.Of().Signer);
        Assert.Equal(SignatureVerdict.UnknownKey, Verify(Rings.Old, Rings.Of()));
        Assert.Equal(SignatureVerdict.Missing, HeartbeatSignature.VerifyRequest(Rings.Of(), default, _body));
    }

    [Fact]
    public void The_key_id_is_stable_short_and_differs_between_secrets()
    {
        Assert.Equal(Rings.Of(Rings.OldSecret).Signer!.KeyId, Rings.Old.Signer!.KeyId);
        Assert.NotEqual(Rings.New.Signer!.KeyId, Rings.Old.Signer!.KeyId, StringComparer.Ordinal);
        Assert.Matches("^[0-9a-f]{16}$", Rings.Old.Signer!.KeyId);
    }

    [Fact]
    public void No_text_form_shows_the_secret()
    {
        var secret = Encoding.UTF8.GetBytes(Rings.OldSecret);
        var text = $"{Rings.Old.Signer} {HeartbeatSignature.SignRequest(Rings.Old.Signer!, _body, 1)}";

        Assert.Contains(Rings.Old.Signer!.KeyId, text, StringComparison.Ordinal);
        Assert.DoesNotContain(Rings.OldSecret, text, StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToBase64String(secret), text, StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToHexStringLower(secret), text, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void A_key_refuses_signatures_of_other_lengths()
    {
        var key = Rings.Old.Signer!;
        var signature = key.Sign(_body);

        Assert.True(key.Verify(_body, signature));
        Assert.False(key.Verify(_body, signature.AsSpan(1)));
        Assert.False(key.Verify(_body, [.. signature, 0]));
        Assert.False(key.Verify(_body, []));
    }

    [Fact]
    public void A_public_half_signs_nothing_and_is_only_accepted()
    {
        var ring = NodeKeys.Ring(null, ["a"]);

        Assert.Null(ring.Signer);
        Assert.Equal(1, ring.Count);
        Assert.Equal(SignatureVerdict.Valid, Verify(NodeKeys.Ring("a", ["a"]), ring));
    }

    [Fact]
    public void A_message_ends_with_the_ring_it_began_with_and_a_ring_out_of_use_keeps_no_key()
    {
        var (source, replaced) = SignWhileReplaced();

        for (var i = 0; i < 10 && replaced.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(replaced.IsAlive);
        Assert.Equal(SignatureVerdict.Valid, Verify(source.Current, NodeKeys.Ring(null, ["b"])));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (KeySource Source, WeakReference Replaced) SignWhileReplaced()
    {
        var began = NodeKeys.Ring("a", ["a"]);
        var source = new KeySource(began);
        source.Current = NodeKeys.Ring("b", ["b"]);
        GC.Collect();
        GC.WaitForPendingFinalizers();

        Assert.Equal(SignatureVerdict.Valid, Verify(began, NodeKeys.Ring(null, ["a"])));
        return (source, new WeakReference(began.Signer));
    }

    private static SignatureVerdict Verify(KeyRing signer, KeyRing verifier) =>
        HeartbeatSignature.VerifyRequest(verifier, HeartbeatSignature.SignRequest(signer.Signer!, _body, 1), _body);
}
