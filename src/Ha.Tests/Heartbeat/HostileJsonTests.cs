using System.Text;
using Ha.Election;
using Ha.Heartbeat;

namespace Ha.Tests.Heartbeat;

public class HostileJsonTests
{
    private static readonly string _valid = Encoding.UTF8.GetString(BeatJson.Serialize(Beats.Request()));

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("null")]
    [InlineData("true")]
    [InlineData("7")]
    [InlineData("\"\"")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{")]
    [InlineData("}")]
    [InlineData("{\"from\"")]
    [InlineData("{\"from\":}")]
    [InlineData("{,}")]
    [InlineData("{\"seq\":NaN}")]
    [InlineData("{\"seq\":Infinity}")]
    [InlineData("{\"seq\":0x10}")]
    [InlineData("{\"seq\":01}")]
    [InlineData("{'seq':1}")]
    [InlineData("{\"\\ud800\":1}")]
    [InlineData("{\"x\":\"\\ud800\"}")]
    [InlineData("{\"x\":\"\\x41\"}")]
    [InlineData("{\"x\":\"a\nb\"}")]
    [InlineData("\uFEFF{}")]
    public void Text_that_is_no_message_is_refused(string text) => Refused(Encoding.UTF8.GetBytes(text));

    [Theory]
    [InlineData("\"x\":NaN,")]
    [InlineData("\"x\":tru,")]
    [InlineData("\"x\":01,")]
    [InlineData("\"x\":[},")]
    [InlineData("\"x\":1,,")]
    [InlineData("\"x\\ud800\":1,")]
    [InlineData("\"x\":+7,")]
    [InlineData("\"x\":True,")]
    [InlineData("\"x\":,")]
    [InlineData("// comment\n")]
    [InlineData("/* comment */")]
    [InlineData("\"seq\":\"\\ud800\",")]
    public void A_valid_message_with_one_broken_member_is_refused(string member) =>
        Refused(Encoding.UTF8.GetBytes(_valid.Insert(1, member)));

    [Theory]
    [InlineData("{}")]
    [InlineData("x")]
    [InlineData(",")]
    [InlineData("\0")]
    public void Anything_after_the_message_is_refused(string tail) => Refused(Encoding.UTF8.GetBytes(_valid + tail));

    [Fact]
    public void Every_part_of_a_message_that_stops_early_is_refused()
    {
        for (var length = 0; length < _valid.Length; length++)
        {
            Refused(Encoding.UTF8.GetBytes(_valid[..length]));
        }
    }

    [Theory]
    [InlineData('[', ']')]
    [InlineData('{', '}')]
    public void Deep_nesting_is_refused_before_it_costs_a_stack(char open, char close)
    {
        var opened = open == '[' ? new string('[', 4000) : string.Concat(Enumerable.Repeat("{\"a\":", 1500));
        var closed = open == '[' ? new string(close, 4000) : "1" + new string(close, 1500);

        Refused(Encoding.UTF8.GetBytes($"{{\"x\":{opened}{closed},{_valid[1..]}"));
        Refused(Encoding.UTF8.GetBytes(opened));
    }

    [Fact]
    public void Nesting_within_the_bound_is_skipped()
    {
        Assert.True(BeatJson.TryParse(Encoding.UTF8.GetBytes(_valid.Insert(1, "\"x\":[[[[[[1]]]]]],")), out Beat? _, out _));
        Assert.True(BeatJson.TryParse(Encoding.UTF8.GetBytes(_valid.Insert(1, "\"x\":[[[[[[[1]]]]]]],")), out Beat? _, out _));
        Refused(Encoding.UTF8.GetBytes(_valid.Insert(1, "\"x\":[[[[[[[[1]]]]]]]],")));
    }

    [Fact]
    public void Numbers_of_thousands_of_digits_are_skipped_where_unknown_and_refused_where_known()
    {
        var digits = new string('9', 6000);

        Assert.True(BeatJson.TryParse(Encoding.UTF8.GetBytes(_valid.Insert(1, $"\"x\":{digits},\"y\":1e{digits},")), out Beat? _, out _));
        Refused(Encoding.UTF8.GetBytes(_valid.Replace("\"seq\":7", $"\"seq\":{digits}", StringComparison.Ordinal)));
    }

    [Fact]
    public void Invalid_UTF_8_is_refused_in_known_and_in_skipped_members()
    {
        byte[][] invalid = [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF4, 0x90, 0x80, 0x80]];
        foreach (var bytes in invalid)
        {
            Refused([.. "{\"x\":\""u8, .. bytes, .. "\","u8, .. Encoding.UTF8.GetBytes(_valid[1..])]);
            Refused([.. "{\""u8, .. bytes, .. "\":1,"u8, .. Encoding.UTF8.GetBytes(_valid[1..])]);
            Refused([.. Encoding.UTF8.GetBytes(_valid), .. bytes]);
        }
    }

    [Fact]
    public void A_body_over_16_KiB_is_refused_unread()
    {
        var padded = _valid.PadRight(BeatJson.MaxBodyBytes);

        Assert.True(BeatJson.TryParse(Encoding.UTF8.GetBytes(padded), out Beat? _, out _));
        Assert.Equal("longer than 16 KiB", Refused(Encoding.UTF8.GetBytes(padded + " ")));
    }

    [Fact]
    public void A_thousand_unknown_members_are_skipped()
    {
        var members = string.Concat(Enumerable.Range(0, 1000).Select(i => $"\"x{i}\":{i},"));

        Assert.True(BeatJson.TryParse(Encoding.UTF8.GetBytes(_valid.Insert(1, members)), out Beat? beat, out _));
        Assert.Equal(Beats.Request(), beat);
    }

    [Fact]
    public void A_text_of_the_longest_size_in_escapes_is_refused_not_overflowed()
    {
        var escapes = string.Concat(Enumerable.Repeat("\\u0061", 2000));

        Refused(Encoding.UTF8.GetBytes(_valid.Replace("\"id\":\"node-1\"", $"\"id\":\"{escapes}\"", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_reason_repeats_nothing_of_the_input()
    {
        Assert.DoesNotContain(
            "evil",
            Refused(Encoding.UTF8.GetBytes(_valid.Replace("node-1", "evil\\u0000", StringComparison.Ordinal))),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_request_is_no_reply_and_two_messages_are_none()
    {
        var request = BeatJson.Serialize(Beats.Request());

        Assert.False(BeatJson.TryParse(request, out BeatReply? _, out _));
        Assert.False(BeatJson.TryParse(BeatJson.Serialize(Beats.Reply()), out Beat? _, out _));
        Refused([.. request, .. request]);
    }

    [Theory]
    [InlineData("\"seq\":7", "\"seq\":07")]
    [InlineData("\"seq\":7", "\"seq\":+7")]
    [InlineData("\"seq\":7", "\"seq\":")]
    [InlineData("\"majority\":true", "\"majority\":True")]
    public void A_known_member_whose_value_is_no_JSON_is_refused(string old, string replacement)
    {
        Assert.Contains(old, _valid, StringComparison.Ordinal);
        Assert.Equal(
            "not valid JSON, or nested too deeply",
            Refused(Encoding.UTF8.GetBytes(_valid.Replace(old, replacement, StringComparison.Ordinal))));
    }

    /// <summary>The skipped parts of a message are not looked into beyond being JSON.</summary>
    [Theory]
    [InlineData("\"x\":1,\"x\":2,")]
    [InlineData("\"x\":{\"seq\":1,\"seq\":2},")]
    [InlineData("\"x\":\"\\ud800\",")]
    [InlineData("\"SEQ\":7,\"Seq\":8,")]
    [InlineData("\"$id\":\"1\",\"$ref\":\"1\",\"$type\":\"x\",")]
    [InlineData("\"__proto__\":{},")]
    public void An_unknown_member_is_ignored_whatever_it_is(string member)
    {
        Assert.True(BeatJson.TryParse(Encoding.UTF8.GetBytes(_valid.Insert(1, member)), out Beat? beat, out var reason), reason);
        Assert.Equal(Beats.Request(), beat);
    }

    private static string Refused(byte[] utf8)
    {
        Assert.False(BeatJson.TryParse(utf8, out Beat? _, out var reason), Encoding.Latin1.GetString(utf8));
        Assert.False(BeatJson.TryParse(utf8, out BeatReply? _, out _));
        Assert.NotEqual("", reason, StringComparer.Ordinal);
        return reason;
    }
}
