using System.Text;
using Ha.Election;
using Ha.Heartbeat;

namespace Ha.Tests.Heartbeat;

public class BeatJsonTests
{
    private static readonly string _text = Encoding.UTF8.GetString(BeatJson.Serialize(Beats.Request()));

    [Fact]
    public void A_request_survives_the_round_trip()
    {
        Assert.True(BeatJson.TryParse(BeatJson.Serialize(Beats.Request()), out Beat read, out var reason), reason);
        Assert.Equal(Beats.Request(), read);
    }

    [Fact]
    public void A_reply_survives_the_round_trip()
    {
        Assert.True(BeatJson.TryParse(BeatJson.Serialize(Beats.Reply()), out BeatReply read, out var reason), reason);
        Assert.Equal(Beats.Reply(), read);
    }

    [Fact]
    public void Optional_members_may_be_absent_or_null()
    {
        var beat = Beats.Request() with { From = Beats.Facts() with { Grant = null, Hint = null, Successor = null } };
        var text = Encoding.UTF8.GetString(BeatJson.Serialize(beat));

        Assert.DoesNotContain("null", text, StringComparison.Ordinal);
        Assert.Equal(beat, Read(text));
        Assert.Equal(beat, Read(text.Replace("\"cancelled_epoch\":0", "\"cancelled_epoch\":0,\"grant\":null,\"hint\":null,\"successor\":null", StringComparison.Ordinal)));
    }

    [Fact]
    public void Every_word_of_every_enum_survives_the_round_trip()
    {
        foreach (var op in Enum.GetValues<BeatOp>())
        {
            Assert.Equal(op, Read(Encoding.UTF8.GetString(BeatJson.Serialize(Beats.Request() with { Op = op }))).Op);
        }

        foreach (var role in Enum.GetValues<NodeRole>())
        {
            var beat = Beats.Request() with { From = Beats.Facts() with { Role = role } };
            Assert.Equal(role, Read(Encoding.UTF8.GetString(BeatJson.Serialize(beat))).From.Role);
        }

        foreach (var status in Enum.GetValues<BeatStatus>())
        {
            Assert.Equal(status, ReadReply(Beats.Reply(status)).Status);
        }

        foreach (var refusal in Enum.GetValues<Refusal>())
        {
            Assert.Equal(refusal, ReadReply(Beats.Reply() with { Refusal = refusal }).Refusal);
        }
    }

    [Fact]
    public void Words_are_snake_case()
    {
        Assert.Contains(
            "\"op\":\"handoff_prepare\"",
            Encoding.UTF8.GetString(BeatJson.Serialize(Beats.Request() with { Op = BeatOp.HandoffPrepare })),
            StringComparison.Ordinal);
        Assert.Contains(
            "\"refusal\":\"epoch_too_low\"",
            Encoding.UTF8.GetString(BeatJson.Serialize(Beats.Reply() with { Refusal = Refusal.EpochTooLow })),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_members_of_any_shape_are_ignored()
    {
        var text = _text
            .Replace("{\"from\":{", "{\"new\":[1,{\"a\":[true,null,1e300]}],\"from\":{\"newer\":{\"seq\":1},", StringComparison.Ordinal)
            .Replace("\"holder\"", "\"more\":\"x\",\"holder\"", StringComparison.Ordinal);

        Assert.Equal(Beats.Request(), Read(text));
    }

    [Fact]
    public void Members_may_come_in_any_order_and_with_white_space_and_escapes()
    {
        var text = _text
            .Replace("\"seq\":7,", "", StringComparison.Ordinal)
            .Replace("{\"from\":{", "\n { \"s\\u0065q\" : 7 ,\t\"from\":{", StringComparison.Ordinal)
            .Replace("http://node-1:8080", "http:\\/\\/node-\\u0031:8080", StringComparison.Ordinal);

        Assert.Equal(Beats.Request(), Read(text + " \n"));
    }

    [Theory]
    [InlineData("\"seq\":7", "\"seq\":7,\"seq\":7")]
    [InlineData("\"seq\":7", "\"seq\":7,\"s\\u0065q\":7")]
    [InlineData("\"id\":\"node-1\"", "\"id\":\"node-1\",\"id\":\"node-2\"")]
    [InlineData("\"holder\":\"node-1\"", "\"holder\":\"node-1\",\"holder\":\"node-1\"")]
    [InlineData("\"successor\":\"node-2\"", "\"successor\":null,\"successor\":\"node-2\"")]
    public void A_member_given_twice_is_refused(string old, string replacement)
    {
        Assert.Contains("twice", Refused(old, replacement), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"seq\":7,", "", "seq")]
    [InlineData("\"incarnation\":\"000102030405060708090a0b0c0d0e0f\",", "", "incarnation")]
    [InlineData("\"holder\":\"node-1\",", "", "holder")]
    [InlineData(",\"op_duration_us\":1500000", "", "op_duration_us")]
    public void A_missing_member_is_named(string old, string replacement, string member)
    {
        Assert.Equal($"member {member} is missing", Refused(old, replacement));
    }

    [Theory]
    [InlineData("\"seq\":7", "\"seq\":-1")]
    [InlineData("\"seq\":7", "\"seq\":7.5")]
    [InlineData("\"seq\":7", "\"seq\":7e0")]
    [InlineData("\"seq\":7", "\"seq\":\"7\"")]
    [InlineData("\"seq\":7", "\"seq\":null")]
    [InlineData("\"seq\":7", "\"seq\":9007199254740992")]
    [InlineData("\"seq\":7", "\"seq\":99999999999999999999999999999999999999999")]
    [InlineData("\"op_epoch\":1763700000000000", "\"op_epoch\":9006099743113217")]
    [InlineData("\"max_epoch\":1763700000000000", "\"max_epoch\":9223372036854775807")]
    [InlineData("\"op_duration_us\":1500000", "\"op_duration_us\":86400000001")]
    [InlineData("\"lease_us\":1500000", "\"lease_us\":-1")]
    [InlineData("\"reach\":3", "\"reach\":10001")]
    [InlineData("\"majority\":true", "\"majority\":1")]
    [InlineData("\"role\":\"leader\"", "\"role\":\"Leader\"")]
    [InlineData("\"role\":\"leader\"", "\"role\":2")]
    [InlineData("\"op\":\"renew\"", "\"op\":\"force\"")]
    [InlineData("\"id\":\"node-1\"", "\"id\":\"\"")]
    [InlineData("\"id\":\"node-1\"", "\"id\":\"nöde\"")]
    [InlineData("\"id\":\"node-1\"", "\"id\":\"a\\nb\"")]
    [InlineData("\"id\":\"node-1\"", "\"id\":[\"node-1\"]")]
    [InlineData("\"nonce\":\"00000000000000000000000000000000\"", "\"nonce\":\"00000000-0000-0000-0000-000000000000\"")]
    [InlineData("\"nonce\":\"00000000000000000000000000000000\"", "\"nonce\":\"0000000000000000000000000000000g\"")]
    [InlineData("\"nonce\":\"00000000000000000000000000000000\"", "\"nonce\":\"000000000000000000000000000000000\"")]
    [InlineData("\"target\":\"http://node-1:8080\"", "\"target\":\"http://node-1:8080/\"")]
    [InlineData("\"target\":\"http://node-1:8080\"", "\"target\":\"http://Node-1:8080\"")]
    [InlineData("\"target\":\"http://node-1:8080\"", "\"target\":\"http://node-1:80\"")]
    [InlineData("\"target\":\"http://node-1:8080\"", "\"target\":\"http://a:b@node-1:8080\"")]
    [InlineData("\"target\":\"http://node-1:8080\"", "\"target\":\"javascript:alert(1)\"")]
    [InlineData("\"grant\":{", "\"grant\":[],\"x\":{")]
    [InlineData("\"from\":{", "\"from\":[],\"x\":{")]
    public void A_value_out_of_range_or_of_another_type_is_refused(string old, string replacement)
    {
        Assert.Contains("wrong type or value", Refused(old, replacement), StringComparison.Ordinal);
    }

    [Fact]
    public void The_highest_values_are_accepted()
    {
        var beat = Beats.Request() with
        {
            Seq = BeatLimits.MaxSafeInteger,
            OpEpoch = BeatLimits.MaxEpoch,
            OpDurationMicros = BeatLimits.MaxDurationMicros,
            From = Beats.Facts() with { Id = new string('~', BeatLimits.MaxIdLength), Reach = BeatLimits.MaxReach },
        };

        Assert.Equal(beat, Read(Encoding.UTF8.GetString(BeatJson.Serialize(beat))));
    }

    [Fact]
    public void An_id_longer_than_128_characters_is_refused() =>
        Refused("\"id\":\"node-1\"", $"\"id\":\"{new string('a', BeatLimits.MaxIdLength + 1)}\"");

    internal static BeatReply ReadReply(BeatReply reply)
    {
        Assert.True(BeatJson.TryParse(BeatJson.Serialize(reply), out BeatReply read, out var reason), reason);
        return read;
    }

    private static Beat Read(string text)
    {
        Assert.True(BeatJson.TryParse(Encoding.UTF8.GetBytes(text), out Beat beat, out var reason), reason);
        return beat;
    }

    private static string Refused(string old, string replacement)
    {
        Assert.Contains(old, _text, StringComparison.Ordinal);
        var at = _text.IndexOf(old, StringComparison.Ordinal);
        var changed = string.Concat(_text.AsSpan(0, at), replacement, _text.AsSpan(at + old.Length));

        Assert.False(BeatJson.TryParse(Encoding.UTF8.GetBytes(changed), out Beat _, out var reason));
        return reason;
    }
}
