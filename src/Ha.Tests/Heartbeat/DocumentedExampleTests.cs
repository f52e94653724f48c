using System.Text;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Security;
using Ha.Tests.Support;

namespace Ha.Tests.Heartbeat;

/// <summary>What docs/heartbeat.md shows is what this code sends.</summary>
public class DocumentedExampleTests
{
    private const long Created = 1_763_700_001;
    private static readonly HaKey _key = new HmacKey("an example and not a secret");
    private static readonly string _document = Repository.Read("docs/heartbeat.md").ReplaceLineEndings("\n");

    private static readonly Beat _beat = Beats.Request() with { From = Beats.Facts() with { Hint = null, Successor = null } };

    private static readonly BeatReply _reply = Beats.Reply() with
    {
        Nonce = Guid.Empty,
        From = Beats.Facts("node-2") with
        {
            Incarnation = Beats.ToInc,
            Target = "http://node-2:8080",
            PublicTarget = "https://two.example.org",
            Role = NodeRole.Follower,
            Epoch = 0,
            LeaseRemainingMicros = 0,
            WallMicros = 1_763_700_001_000_200,
            Grant = new GrantFacts("node-1", 1_763_700_000_000_000, 1_500_000),
            Successor = null,
        },
    };

    private static readonly JsonTypeInfo[] _types =
    [
        BeatContext.Default.Beat, BeatContext.Default.BeatReply, BeatContext.Default.NodeFacts,
        BeatContext.Default.GrantFacts, BeatContext.Default.LeaderHint,
    ];

    [Fact]
    public void The_request_is_byte_for_byte_the_documented_one()
    {
        var body = BeatJson.Serialize(_beat);
        AssertDocumented(Encoding.UTF8.GetString(body));
        AssertDocumented(HeartbeatSignature.SignRequest(_key, body, Created), body.Length);
    }

    [Fact]
    public void The_reply_is_byte_for_byte_the_documented_one()
    {
        var request = HeartbeatSignature.SignRequest(_key, BeatJson.Serialize(_beat), Created);
        var body = BeatJson.Serialize(_reply);

        AssertDocumented(Encoding.UTF8.GetString(body));
        AssertDocumented(HeartbeatSignature.SignReply(_key, 200, body, request, Created), body.Length);
    }

    [Fact]
    public void The_documented_signature_bases_give_the_documented_signatures()
    {
        foreach (var status in new[] { false, true })
        {
            var first = status ? "\"@status\": " : "\"@method\": ";
            var block = _document.Split("```").Single(text => text.StartsWith($"text\n{first}", StringComparison.Ordinal));
            var signature = _key.Sign(Encoding.ASCII.GetBytes(block["text\n".Length..].TrimEnd('\n')));

            AssertDocumented($"Signature: ha=:{Convert.ToBase64String(signature)}:\n");
        }
    }

    [Fact]
    public void Every_member_word_and_refusal_is_documented()
    {
        IEnumerable<string> members = [.. _types.SelectMany(type => type.Properties).Select(member => member.Name)];
        IEnumerable<string> words =
        [
            .. WordConverter<NodeRole>.Words, .. WordConverter<BeatOp>.Words, .. WordConverter<BeatStatus>.Words, .. WordConverter<Refusal>.Words,
        ];
        IEnumerable<string> refusals =
            [.. Enum.GetValues<SignatureVerdict>().Except([SignatureVerdict.Valid]).Select(verdict => verdict.Word())];

        Assert.All(members.Concat(words).Concat(refusals), word => AssertDocumented($"`{word}`"));
        Assert.All(
            new[] { HeartbeatRefusal.Method, HeartbeatRefusal.NotJson, HeartbeatRefusal.TooLarge, HeartbeatRefusal.TooSlow, HeartbeatRefusal.BadFraming },
            refusal => AssertDocumented($"`{refusal.Reason}`"));
    }

    /// <summary>A converter of ours is what checks a value's range; a new member must not go without.</summary>
    [Fact]
    public void Every_value_of_a_message_is_of_a_documented_kind() => Assert.All(
        _types.SelectMany(type => type.Properties).Where(member => !Array.Exists(_types, type => type.Type == member.PropertyType)),
        member => Assert.True(
            member.PropertyType == typeof(bool) || member.PropertyType == typeof(bool?)
            || (member.CustomConverter ?? BeatContext.Default.Options.GetConverter(member.PropertyType)).GetType().Namespace == typeof(Beat).Namespace,
            member.Name));

    [Fact]
    public void The_tables_describe_the_messages_as_they_are_written()
    {
        var request = BeatJson.Serialize(Beats.Request());
        var reply = BeatJson.Serialize(Beats.Reply());

        Assert.Equal(Encoding.UTF8.GetString(request), DocumentedFormat.Request.Canonical(request));
        Assert.Equal(Encoding.UTF8.GetString(reply), DocumentedFormat.Reply.Canonical(reply));
    }

    [Fact]
    public void The_examples_are_valid_JSON_for_any_parser()
    {
        Assert.Equal("node-1", JsonNode.Parse(BeatJson.Serialize(_beat))!["from"]!["id"]!.GetValue<string>());
        Assert.Equal("ok", JsonNode.Parse(BeatJson.Serialize(_reply))!["status"]!.GetValue<string>());
    }

    private static void AssertDocumented(SignatureHeaders headers, int length)
    {
        AssertDocumented($"Content-Length: {length}\n");
        AssertDocumented($"Content-Digest: {headers.ContentDigest}\n");
        AssertDocumented($"Signature-Input: {headers.SignatureInput}\n");
        AssertDocumented($"Signature: {headers.Signature}\n");
    }

    private static void AssertDocumented(string text) =>
        Assert.True(_document.Contains(text, StringComparison.Ordinal), $"docs/heartbeat.md does not show: {text}");
}
