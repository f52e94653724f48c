using Ha.Configuration;

namespace Ha.Tests.Configuration;

public class NearMissTests
{
    [Theory]
    [InlineData("abc", "abc", 0)]
    [InlineData("abc", "abd", 1)]
    [InlineData("abc", "acb", 2)]
    [InlineData("abc", "ab", 1)]
    [InlineData("ab", "xaby", 2)]
    [InlineData("", "ab", 2)]
    [InlineData("kitten", "sitting", 3)]
    public void Edits_are_counted(string a, string b, int expected)
    {
        Assert.Equal(expected, NearMiss.Distance(a, b));
        Assert.Equal(expected, NearMiss.Distance(b, a));
    }

    [Fact]
    public void The_closest_key_is_meant() => Assert.Equal("BASE_AB", NearMiss.Find("base_aa", ["BASE_CC", "BASE_AB", "BASE_AAXX"]));

    [Fact]
    public void Three_edits_away_is_another_key() => Assert.Null(NearMiss.Find("BASE_XYZ", ["BASE_ABC"]));
}
