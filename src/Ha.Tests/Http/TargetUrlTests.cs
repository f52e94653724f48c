using Ha.Http;

namespace Ha.Tests.Http;

public class TargetUrlTests
{
    [Theory]
    [InlineData("http://a", "http://a")]
    [InlineData("HTTP://Node-1.Example:8080/", "http://node-1.example:8080")]
    [InlineData("http://a:80", "http://a")]
    [InlineData("https://a:443/", "https://a")]
    [InlineData("https://a:80", "https://a:80")]
    [InlineData("  http://a:5000  ", "http://a:5000")]
    [InlineData("http://[::1]:5000", "http://[::1]:5000")]
    [InlineData("http://[0:0:0:0:0:0:0:1]:5000", "http://[::1]:5000")]
    [InlineData("http://[2001:DB8::A]", "http://[2001:db8::a]")]
    [InlineData("http://127.0.0.1:0080", "http://127.0.0.1")]
    [InlineData("http://bücher.example", "http://xn--bcher-kva.example")]
    public void Spellings_of_one_url_normalise_to_one_string(string written, string expected)
    {
        Assert.True(TargetUrl.TryNormalise(written, out var normalised, out var error), error);
        Assert.Equal(expected, normalised);
        Assert.True(TargetUrl.TryNormalise(normalised, out var again, out _));
        Assert.Equal(normalised, again);
    }

    [Theory]
    [InlineData(null, "is empty")]
    [InlineData("   ", "is empty")]
    [InlineData("node-2:8080", "has no scheme; write http://node-2:8080")]
    [InlineData("//node-2", "has no scheme; write http://node-1:8080")]
    [InlineData("ftp://a", "not http or https")]
    [InlineData("http://", "is not a valid URL")]
    [InlineData("http://a:99999", "is not a valid URL")]
    [InlineData("http://a:port", "is not a valid URL")]
    [InlineData("http://a b", "white space")]
    [InlineData("http://a:1   # my own", "write the URL and nothing after it")]
    [InlineData("http://a:1;http://b:1", "holds a semicolon; write one URL, or commas between those of a list")]
    [InlineData("http://*:80;https://*:443", "holds a semicolon; write one URL")]
    [InlineData("http://a\nb", "white space")]
    [InlineData("http://me:pw@a", "user name or password")]
    [InlineData("http://a/base", "so write http://a")]
    [InlineData("http://a/?", "after the host")]
    [InlineData("http://a?x=1", "after the host")]
    [InlineData("http://a#x", "after the host")]
    [InlineData("http://a\\b", "is not a valid URL")]
    [InlineData("http://xn--é:1", "is not a valid URL")]
    [InlineData("http://a:0", "port 0")]
    [InlineData("http://0.0.0.0:5000", "to listen on")]
    [InlineData("http://[::]:5000", "to listen on")]
    [InlineData("http://*:5000", "to listen on")]
    [InlineData("https://+", "to listen on")]
    [InlineData("http://[fe80::1%25eth0]:5000", "to listen on")]
    public void What_is_no_base_url_is_refused_with_a_remedy(string? written, string expected)
    {
        Assert.False(TargetUrl.TryNormalise(written, out var normalised, out var error));
        Assert.Equal("", normalised);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_endless_url_is_refused() =>
        Assert.False(TargetUrl.TryNormalise("http://" + new string('a', TargetUrl.MaxLength), out _, out _));

    [Theory]
    [InlineData("http://me:pw@a/x", "http://***@a/x")]
    [InlineData("me:pw@a", "***@a")]
    [InlineData("http://a", "http://a")]
    public void A_password_in_a_url_is_not_shown(string written, string expected) =>
        Assert.Equal(expected, TargetUrl.Redact(written));
}
