using System.Text;
using Ha.Election;
using Ha.Heartbeat;

namespace Ha.Tests.Heartbeat;

/// <summary>The short cut that heartbeats of this product take past the JSON parser.</summary>
public class CanonicalReaderTests
{
    private static readonly NodeFacts _facts = Beats.Facts();

    private static readonly NodeFacts[] _variants =
    [
        _facts,
        _facts with { Grant = null },
        _facts with { Hint = null },
        _facts with { Successor = null },
        _facts with { Grant = null, Hint = null, Successor = null },
        _facts with { MaxEpoch = BeatLimits.MaxEpoch, WallMicros = BeatLimits.MaxSafeInteger, Reach = BeatLimits.MaxReach, LeaseMicros = BeatLimits.MaxDurationMicros },
        _facts with { LeaseMicros = 0, Epoch = 0, Reach = 0, Majority = false, Witness = true, Quarantined = true, Eligible = false, Role = NodeRole.Candidate },
        _facts with { Id = "!#$%&()*+-./:;<=>?@[]^_`{|}~", Target = "http://[::1]:8080", Successor = new string('x', BeatLimits.MaxIdLength) },
    ];

    [Fact]
    public void Whatever_this_product_writes_takes_it() => Assert.All(_variants, facts =>
    {
        foreach (var op in Enum.GetValues<BeatOp>())
        {
            var beat = Beats.Request() with { From = facts, Op = op };
            Assert.True(new CanonicalReader(BeatJson.Serialize(beat)).TryRead(out BeatDraft draft));
            Assert.Equal(beat, draft.Build());
        }

        foreach (var status in Enum.GetValues<BeatStatus>())
        {
            foreach (var refusal in Enum.GetValues<Refusal>())
            {
                var reply = Beats.Reply() with { From = facts, Status = status, Refusal = refusal, Granted = refusal == Refusal.None };
                Assert.True(new CanonicalReader(BeatJson.Serialize(reply)).TryRead(out ReplyDraft draft));
                Assert.Equal(reply, draft.Build());
            }
        }
    });

    [Theory]
    [InlineData("\"seq\":7", "\"seq\":07")]
    [InlineData("\"seq\":7", "\"seq\":+7")]
    [InlineData("\"seq\":7", "\"seq\":-7")]
    [InlineData("\"seq\":7", "\"seq\":7.0")]
    [InlineData("\"seq\":7", "\"seq\":")]
    [InlineData("\"seq\":7", "\"seq\": 7")]
    [InlineData("\"seq\":7", "\"seq\":9007199254740992")]
    [InlineData("\"seq\":7", "\"seq\":92233720368547758070")]
    [InlineData("\"reach\":3", "\"reach\":10001")]
    [InlineData("\"majority\":true", "\"majority\":True")]
    [InlineData("\"id\":\"node-1\"", "\"id\":\"\"")]
    [InlineData("\"id\":\"node-1\"", "\"id\":\"node\\u002d1\"")]
    [InlineData("\"id\":\"node-1\"", "\"id\":\"node 1\"")]
    [InlineData("\"op\":\"renew\"", "\"op\":\"renewal\"")]
    [InlineData("\"target\":\"http://node-1:8080\"", "\"target\":\"HTTP://node-1:8080\"")]
    [InlineData("00000000000000000000000000000000", "0000000000000000000000000000000")]
    [InlineData("\"seq\":7", "\"seq\":7,\"more\":1")]
    [InlineData("\"role\":\"leader\"", "\"role\":null")]
    public void Any_other_spelling_is_left_to_the_parser(string written, string other)
    {
        var text = Encoding.UTF8.GetString(BeatJson.Serialize(Beats.Request()));
        Assert.Contains(written, text, StringComparison.Ordinal);

        Assert.False(new CanonicalReader(Encoding.UTF8.GetBytes(text.Replace(written, other, StringComparison.Ordinal))).TryRead(out BeatDraft _));
    }

    [Fact]
    public void No_part_of_a_message_and_nothing_after_it_is_taken()
    {
        var whole = BeatJson.Serialize(Beats.Request());
        for (var length = 0; length < whole.Length; length++)
        {
            Assert.False(new CanonicalReader(whole.AsSpan(0, length)).TryRead(out BeatDraft _));
        }

        Assert.False(new CanonicalReader([.. whole, (byte)' ']).TryRead(out BeatDraft _));
        Assert.False(new CanonicalReader([.. whole, .. whole]).TryRead(out BeatDraft _));
        Assert.False(new CanonicalReader(whole).TryRead(out ReplyDraft _));
    }

    [Fact]
    public void What_would_break_out_of_its_quotes_is_not_written()
    {
        foreach (var id in new[] { "a\"b", "a\\b", "a\nb", "ä", new string('x', 20_000) })
        {
            Assert.ThrowsAny<Exception>(() => BeatJson.Serialize(Beats.Request(id: id)));
        }
    }
}
