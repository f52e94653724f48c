using System.Text;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Http;

namespace Ha.Tests.Heartbeat;

public class BeatJsonTests
{
    private static readonly string _text = Encoding.UTF8.GetString(BeatJson.Serialize(Beats.Request()));

    private static readonly NodeFacts _facts = Beats.Facts();

    private static readonly NodeFacts[] _variants =
    [
        _facts,
        _facts with { Grant = null },
        _facts with { Hint = null },
        _facts with { Successor = null },
        _facts with { Grant = null, Hint = null, Successor = null },
        _facts with { Eligible = false, Paused = true },
        _facts with { Eligible = false, Paused = true, Unhealthy = true },
        _facts with { Paused = false, Unhealthy = false },
        _facts with { MaxEpoch = ElectionCore.MaxEpoch, WallMicros = CounterConverter.MaxSafe, Reach = ReachConverter.Max, LeaseMicros = DurationConverter.MaxMicros },
        _facts with { LeaseMicros = 0, Epoch = 0, Reach = 0, Majority = false, Witness = true, Quarantined = true, Eligible = false, Role = NodeRole.Candidate },
        _facts with { Id = "!#$%&()*+-./:;<=>?@[]^_`{|}~", Target = "http://[::1]:8080", Successor = new string('x', PlainName.MaxLength) },
    ];

    [Fact]
    public void A_request_survives_the_round_trip()
    {
        Assert.True(BeatJson.TryParse(BeatJson.Serialize(Beats.Request()), out Beat? read, out var reason), reason);
        Assert.Equal(Beats.Request(), read);
    }

    [Fact]
    public void A_reply_survives_the_round_trip()
    {
        Assert.True(BeatJson.TryParse(BeatJson.Serialize(Beats.Reply()), out BeatReply? read, out var reason), reason);
        Assert.Equal(Beats.Reply(), read);
    }

    [Fact]
    public void Whatever_this_product_writes_it_reads() => Assert.All(_variants, facts =>
    {
        foreach (var op in Enum.GetValues<BeatOp>())
        {
            var beat = Beats.Request() with { From = facts, Op = op };
            Assert.Equal(beat, Read(Encoding.UTF8.GetString(BeatJson.Serialize(beat))));
        }

        foreach (var status in Enum.GetValues<BeatStatus>())
        {
            foreach (var refusal in Enum.GetValues<Refusal>())
            {
                var reply = Beats.Reply() with { From = facts, Status = status, Refusal = refusal, Granted = refusal == Refusal.None };
                Assert.Equal(reply, ReadReply(reply));
            }
        }
    });

    [Fact]
    public void What_would_break_out_of_its_quotes_is_not_written()
    {
        foreach (var id in new[] { "a\"b", "a\\b", "a\nb", "ä", new string('x', 20_000) })
        {
            Assert.ThrowsAny<Exception>(() => BeatJson.Serialize(Beats.Request(id: id)));
        }
    }

    [Fact]
    public void No_character_of_a_name_is_written_as_an_escape()
    {
        var id = "!#$%&()*+-./:;<=>?@[]^_`{|}~";

        Assert.Contains($"\"id\":\"{id}\"", Encoding.UTF8.GetString(BeatJson.Serialize(Beats.Request(id: id))), StringComparison.Ordinal);
    }

    [Fact]
    public void Optional_members_may_be_absent_or_null()
    {
        var beat = Beats.Request() with { From = Beats.Facts() with { Grant = null, Hint = null, Successor = null } };
        var text = Encoding.UTF8.GetString(BeatJson.Serialize(beat));

        Assert.DoesNotContain("null", text, StringComparison.Ordinal);
        Assert.Equal(beat, Read(text));
        Assert.Equal(beat, Read(text.Replace("\"cancelled_epoch\":0", "\"cancelled_epoch\":0,\"grant\":null,\"hint\":null,\"successor\":null,\"paused\":null,\"unhealthy\":null", StringComparison.Ordinal)));
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
    [InlineData("\"seq\":7", "\"seq\":7.0")]
    [InlineData("\"seq\":7", "\"seq\":7e0")]
    [InlineData("\"seq\":7", "\"seq\":\"7\"")]
    [InlineData("\"seq\":7", "\"seq\":null")]
    [InlineData("\"seq\":7", "\"seq\":9007199254740992")]
    [InlineData("\"seq\":7", "\"seq\":92233720368547758070")]
    [InlineData("\"seq\":7", "\"seq\":99999999999999999999999999999999999999999")]
    [InlineData("\"op_epoch\":1763700000000000", "\"op_epoch\":9006099743113217")]
    [InlineData("\"max_epoch\":1763700000000000", "\"max_epoch\":9223372036854775807")]
    [InlineData("\"op_duration_us\":1500000", "\"op_duration_us\":86400000001")]
    [InlineData("\"lease_us\":1500000", "\"lease_us\":-1")]
    [InlineData("\"reach\":3", "\"reach\":10001")]
    [InlineData("\"majority\":true", "\"majority\":1")]
    [InlineData("\"role\":\"leader\"", "\"role\":\"Leader\"")]
    [InlineData("\"role\":\"leader\"", "\"role\":2")]
    [InlineData("\"role\":\"leader\"", "\"role\":\"2\"")]
    [InlineData("\"role\":\"leader\"", "\"role\":\" leader\"")]
    [InlineData("\"role\":\"leader\"", "\"role\":null")]
    [InlineData("\"op\":\"renew\"", "\"op\":\"force\"")]
    [InlineData("\"op\":\"renew\"", "\"op\":\"renewal\"")]
    [InlineData("\"id\":\"node-1\"", "\"id\":\"\"")]
    [InlineData("\"id\":\"node-1\"", "\"id\":null")]
    [InlineData("\"id\":\"node-1\"", "\"id\":\"node 1\"")]
    [InlineData("\"id\":\"node-1\"", "\"id\":\"nöde\"")]
    [InlineData("\"id\":\"node-1\"", "\"id\":\"a\\nb\"")]
    [InlineData("\"id\":\"node-1\"", "\"id\":[\"node-1\"]")]
    [InlineData("\"nonce\":\"00000000000000000000000000000000\"", "\"nonce\":\"00000000-0000-0000-0000-000000000000\"")]
    [InlineData("\"nonce\":\"00000000000000000000000000000000\"", "\"nonce\":\"0000000000000000000000000000000g\"")]
    [InlineData("\"nonce\":\"00000000000000000000000000000000\"", "\"nonce\":\"000000000000000000000000000000000\"")]
    [InlineData("\"nonce\":\"00000000000000000000000000000000\"", "\"nonce\":\"0000000000000000000000000000000\"")]
    [InlineData("\"nonce\":\"00000000000000000000000000000000\"", "\"nonce\":\"\\u00300000000000000000000000000000000\"")]
    [InlineData("\"target\":\"http://node-1:8080\"", "\"target\":\"http://node-1:8080/\"")]
    [InlineData("\"target\":\"http://node-1:8080\"", "\"target\":\"http://Node-1:8080\"")]
    [InlineData("\"target\":\"http://node-1:8080\"", "\"target\":\"HTTP://node-1:8080\"")]
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
            Seq = CounterConverter.MaxSafe,
            OpEpoch = ElectionCore.MaxEpoch,
            OpDurationMicros = DurationConverter.MaxMicros,
            From = Beats.Facts() with { Id = new string('~', PlainName.MaxLength), Reach = ReachConverter.Max },
        };

        Assert.Equal(beat, Read(Encoding.UTF8.GetString(BeatJson.Serialize(beat))));
    }

    [Fact]
    public void An_id_longer_than_128_characters_is_refused() =>
        Refused("\"id\":\"node-1\"", $"\"id\":\"{new string('a', PlainName.MaxLength + 1)}\"");

    internal static BeatReply ReadReply(BeatReply reply)
    {
        Assert.True(BeatJson.TryParse(BeatJson.Serialize(reply), out BeatReply? read, out var reason), reason);
        return read;
    }

    private static Beat Read(string text)
    {
        Assert.True(BeatJson.TryParse(Encoding.UTF8.GetBytes(text), out Beat? beat, out var reason), reason);
        return beat;
    }

    private static string Refused(string old, string replacement)
    {
        Assert.Contains(old, _text, StringComparison.Ordinal);
        var at = _text.IndexOf(old, StringComparison.Ordinal);
        var changed = string.Concat(_text.AsSpan(0, at), replacement, _text.AsSpan(at + old.Length));

        Assert.False(BeatJson.TryParse(Encoding.UTF8.GetBytes(changed), out Beat? _, out var reason));
        return reason;
    }
}
