using System.Text.RegularExpressions;
using Ha.Tests.Support;

namespace Ha.Tests.Security.Signing;

/// <summary>
/// How long a comparison takes cannot be asserted without luck; that the two places that compare a secret with what a
/// stranger sent leave it to the platform's constant-time function can. What they refuse is tested with each.
/// </summary>
public sealed partial class SecretComparisonTests
{
    [Theory]
    [InlineData("src/Ha/Security/HmacKey.cs", "public override bool Verify(")]
    [InlineData("src/Ha/Security/HashedToken.cs", "public bool Matches(")]
    public void A_secret_is_compared_in_constant_time_and_in_no_other_way(string file, string member)
    {
        var source = Repository.Read(file);
        var body = source[source.IndexOf(member, StringComparison.Ordinal)..];

        Assert.Matches(@"^[^}]*?(return|=>)\s+CryptographicOperations\.FixedTimeEquals\(", body);
        Assert.DoesNotMatch(OtherComparison(), source);
    }

    [GeneratedRegex(@"\b(SequenceEqual|SequenceCompareTo|Equals|Compare|CompareOrdinal|CommonPrefixLength)\(", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex OtherComparison();
}
