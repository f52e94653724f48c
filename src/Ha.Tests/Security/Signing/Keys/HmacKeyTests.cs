using System.Text;
using Ha.Security;

namespace Ha.Tests.Security.Signing.Keys;

public sealed class HmacKeyTests : KeyConformance
{
    private protected override HaKey Key { get; } = new HmacKey(Rings.OldSecret);

    private protected override HaKey Verifier { get; } = new HmacKey(Rings.OldSecret);

    private protected override HaKey OtherKey { get; } = new HmacKey(Rings.NewSecret);

    protected override string Algorithm => "hmac-sha256";

    protected override int SignatureBytes => 32;

    protected override IEnumerable<string> SecretTexts
    {
        get
        {
            var bytes = Encoding.UTF8.GetBytes(Rings.OldSecret);
            return [Rings.OldSecret, Convert.ToBase64String(bytes), Convert.ToHexStringLower(bytes)];
        }
    }

    [Fact]
    public void The_key_id_says_nothing_of_the_secret_but_that_it_is_the_same_one()
    {
        Assert.Matches("^[0-9a-f]{16}$", Key.KeyId);
        Assert.Null(Key.PublicKey);
    }
}
