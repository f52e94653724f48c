using System.Buffers.Text;
using Ha.Consistency;
using Ha.Security;
using Ha.Telemetry;
using NSec.Cryptography;

namespace Ha.Tests.Consistency;

/// <summary>Positions go through the hands of strangers.</summary>
public sealed class PositionTextTests
{
    private const string Cluster = "shop";
    private static readonly ReadPosition _position = new(1_764_000_000_000_000, 0x16_B374_D848);
    private static readonly KeyRing _hmac = Ring(new HmacKey("a-secret-for-the-tests-only"));
    private static readonly KeyRing _other = Ring(new HmacKey("another-secret-of-some-length"));
    private static readonly KeyRing _unsigned = new([], unsigned: true);
    private static readonly KeyRing _ed25519 = Ring(NodeKey());

    public static TheoryData<string> Rings => ["hmac", "ed25519", "unsigned"];

    [Theory]
    [MemberData(nameof(Rings))]
    public void What_is_written_is_read_and_verified(string ring)
    {
        var text = PositionText.Write(_position, Cluster, Of(ring))!;
        Assert.True(PositionText.TryRead(text, out var read));
        Assert.Equal(_position, read);
        Assert.Null(PositionText.WhyNot(text, Cluster, Of(ring)));
        Assert.InRange(text.Length, 20, 131);
        Assert.DoesNotContain(text, c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_'));
    }

    [Theory]
    [InlineData("hmac")]
    [InlineData("ed25519")]
    public void Each_bit_counts(string ring)
    {
        var bytes = Base64Url.DecodeFromChars(PositionText.Write(_position, Cluster, Of(ring)));
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var changed = (byte[])bytes.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.NotNull(PositionText.WhyNot(Base64Url.EncodeToString(changed), Cluster, Of(ring)));
        }

        Assert.All(Enumerable.Range(0, bytes.Length), cut =>
            Assert.NotNull(PositionText.WhyNot(Base64Url.EncodeToString(bytes.AsSpan(0, cut)), Cluster, Of(ring))));
        Assert.NotNull(PositionText.WhyNot(Base64Url.EncodeToString([.. bytes, 0]), Cluster, Of(ring)));
    }

    [Fact]
    public void Another_cluster_with_the_same_key_does_not_count() =>
        Assert.Equal(PositionOutcome.BadSignature, PositionText.WhyNot(PositionText.Write(_position, "orders", _hmac), Cluster, _hmac));

    [Fact]
    public void Another_key_does_not_count() =>
        Assert.Equal(PositionOutcome.UnknownKey, PositionText.WhyNot(PositionText.Write(_position, Cluster, _other), Cluster, _hmac));

    [Fact]
    public void Every_key_of_the_ring_verifies()
    {
        var (old, fresh) = (new HmacKey("the-secret-of-last-year"), new HmacKey("the-secret-of-this-year"));
        var (before, after) = (Ring(old, fresh), Ring(fresh, old));
        Assert.Null(PositionText.WhyNot(PositionText.Write(_position, Cluster, before), Cluster, after));
        Assert.Null(PositionText.WhyNot(PositionText.Write(_position, Cluster, after), Cluster, before));
        Assert.Equal(PositionOutcome.UnknownKey, PositionText.WhyNot(PositionText.Write(_position, Cluster, before), Cluster, Ring(fresh)));
    }

    [Fact]
    public void A_cluster_with_keys_takes_nothing_unsigned()
    {
        var bare = PositionText.Write(_position, Cluster, _unsigned)!;
        Assert.Equal(PositionOutcome.UnknownKey, PositionText.WhyNot(bare, Cluster, _hmac));
        Assert.Equal(PositionOutcome.UnknownKey, PositionText.WhyNot(bare, Cluster, new KeyRing([])));
        Assert.Equal(PositionOutcome.UnknownKey, PositionText.WhyNot(PositionText.Write(_position, Cluster, _hmac), Cluster, _unsigned));
    }

    [Fact]
    public void Without_a_key_to_sign_with_there_is_none() => Assert.Null(PositionText.Write(_position, Cluster, new KeyRing([])));

    [Theory]
    [InlineData("")]
    [InlineData("?")]
    [InlineData("AQ")]
    [InlineData("AQD/////////////////////////")]
    [InlineData("AgAAAAAAAAAAAQAAAAAAAAAB")]
    [InlineData("AQD__________wAAAAAAAAAB")]
    [InlineData("AQAAAAAAAAAAAf__________")]
    [InlineData("Aem AAA\u00e9\u4e2d")]
    public void Nonsense_is_none(string text) => Assert.False(PositionText.TryRead(text, out _));

    [Fact]
    public void What_is_too_long_is_not_read()
    {
        Assert.False(PositionText.TryRead(new string('A', PositionText.MaxLength + 1), out _));
        Assert.False(PositionText.TryRead(new string('A', 1 << 20), out _));
    }

    [Fact]
    public void Nothing_that_comes_makes_it_throw()
    {
        var random = new Random(20251130);
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = new byte[random.Next(0, 160)];
            random.NextBytes(bytes);
            if (bytes.Length > 1)
            {
                (bytes[0], bytes[1]) = (1, (byte)random.Next(0, 20));
            }

            var text = Base64Url.EncodeToString(bytes);
            Assert.NotNull(PositionText.WhyNot(text, Cluster, i % 2 == 0 ? _hmac : _ed25519));
            PositionText.TryRead(text, out _);
        }
    }

    private static KeyRing Of(string ring) => ring switch { "hmac" => _hmac, "ed25519" => _ed25519, _ => _unsigned };

    private static KeyRing Ring(params HaKey[] keys) => new(keys.Select(key => new RingKey(key, NodeId: null)));

    private static Ed25519Key NodeKey()
    {
        var exportable = new KeyCreationParameters { ExportPolicy = KeyExportPolicies.AllowPlaintextExport };
        using var key = Key.Create(SignatureAlgorithm.Ed25519, exportable);
        return Ed25519Key.ReadPrivate(key.Export(KeyBlobFormat.PkixPrivateKey))!;
    }
}
