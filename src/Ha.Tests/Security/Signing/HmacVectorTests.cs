using System.Text;
using Ha.Security;

namespace Ha.Tests.Security.Signing;

public class HmacVectorTests
{
    // RFC 9421 appendix B.1.5.
    private const string SharedSecret =
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

    private const string Base =
        """
        "date": Tue, 20 Apr 2021 02:07:55 GMT
        "@authority": example.com
        "content-type": application/json
        "@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"
        """;

    [Fact]
    public void The_base_and_signature_of_RFC_9421_appendix_B_2_5_come_out()
    {
        var lines = SignatureBase.Build(
            "(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"",
            ("\"date\"", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("\"@authority\"", "example.com"),
            ("\"content-type\"", "application/json"));

        Assert.NotNull(lines);
        Assert.Equal(Base.ReplaceLineEndings("\n"), Encoding.ASCII.GetString(lines));

        var key = new HmacKey(Convert.FromBase64String(SharedSecret));
        var signature = key.Sign(lines);
        Assert.Equal("pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=", Convert.ToBase64String(signature));
        Assert.True(key.Verify(lines, signature));
    }

    [Fact]
    public void The_reply_bound_component_is_named_as_in_RFC_9421_section_2_4()
    {
        var item = ":" + Convert.ToBase64String(new byte[32]) + ":";
        var lines = SignatureBase.Build("()", ("\"signature\";req;key=\"ha\"", item))!;

        Assert.Equal($"\"signature\";req;key=\"ha\": {item}\n\"@signature-params\": ()", Encoding.ASCII.GetString(lines));
    }

    [Theory]
    [InlineData("a\nb")]
    [InlineData("a\rb")]
    [InlineData("ä")]
    public void A_value_that_could_forge_a_line_makes_no_base(string value) => Assert.Null(SignatureBase.Build("()", ("\"x\"", value)));

    [Fact]
    public void Content_digest_of_RFC_9530_comes_out()
    {
        // RFC 9530 appendix B.1, {"hello": "world"} and a line feed.
        Assert.Equal("sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:", ContentDigest.Of("{\"hello\": \"world\"}\n"u8));
    }
}
