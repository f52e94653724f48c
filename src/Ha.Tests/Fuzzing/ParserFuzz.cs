using System.Text;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Tests.Heartbeat;

namespace Ha.Tests.Fuzzing;

/// <summary>
/// The heartbeat's JSON: no bytes make it throw; it takes what the documentation's tables allow and nothing else, for
/// what they say; and written and read again it is the same.
/// </summary>
internal static class ParserFuzz
{
    private static readonly byte[][] _requests = Corpus(BeatJson.Serialize(Beats.Request()), BeatJson.Serialize(Beats.Request() with { From = Bare() }));
    private static readonly byte[][] _replies = Corpus(BeatJson.Serialize(Beats.Reply()), BeatJson.Serialize(Beats.Reply(BeatStatus.Conflict) with { From = Bare() }));

    public static FuzzTarget Requests { get; } = new("parser, requests", mutator => Request(Input(mutator, _requests)));

    public static FuzzTarget Replies { get; } = new("parser, replies", mutator => Reply(Input(mutator, _replies)));

    private static string Request(byte[] input)
    {
        var accepted = BeatJson.TryParse(input, out Beat? beat, out var reason);
        if (accepted)
        {
            Hold(BeatJson.TryParse(BeatJson.Serialize(beat!), out Beat? again, out _) && again == beat, "not the same when written and read", input);
        }

        return Judge(DocumentedFormat.Request, input, accepted ? BeatJson.Serialize(beat!) : null, reason);
    }

    private static string Reply(byte[] input)
    {
        var accepted = BeatJson.TryParse(input, out BeatReply? reply, out var reason);
        if (accepted)
        {
            Hold(BeatJson.TryParse(BeatJson.Serialize(reply!), out BeatReply? again, out _) && again == reply, "not the same when written and read", input);
        }

        return Judge(DocumentedFormat.Reply, input, accepted ? BeatJson.Serialize(reply!) : null, reason);
    }

    /// <param name="format">What the documentation says.</param>
    /// <param name="input">What was read.</param>
    /// <param name="written">What it was taken for; null when it was refused.</param>
    /// <param name="reason">Why it was refused.</param>
    private static string Judge(DocumentedFormat format, byte[] input, byte[]? written, string reason)
    {
        var canonical = format.Canonical(input);
        if (written is not null)
        {
            Hold(canonical is not null, "accepted, and the documentation refuses it", input);
            Hold(Encoding.UTF8.GetString(written) == canonical, "taken for something else than the documentation says", input);
            return FuzzReport.Accepted;
        }

        Hold(canonical is null, $"refused as {reason}, and the documentation allows it", input);
        Hold(reason.Length > 0, "refused without a reason", input);
        Hold(!reason.StartsWith("member ", StringComparison.Ordinal) || format.Members.Any(member => reason.StartsWith($"member {member.Name} ", StringComparison.Ordinal)),
            $"refused for a member that is not ours: {reason}", input);
        return reason;
    }

    private static NodeFacts Bare() => Beats.Facts() with { Grant = null, Hint = null, Successor = null };

    /// <summary>Two in the spelling of this product, and one in another.</summary>
    private static byte[][] Corpus(byte[] full, byte[] bare)
    {
        var spaced = Encoding.ASCII.GetString(full)
            .Replace(",", " ,\n ", StringComparison.Ordinal)
            .Replace("node-1", "node\\u002d1", StringComparison.Ordinal)
            .Insert(1, "\"later\":{\"x\":[1,null,{\"y\":\"z\"}]},");
        return [full, bare, Encoding.ASCII.GetBytes(spaced)];
    }

    /// <summary>Mostly a message with a few changes, now and then mere noise.</summary>
    private static byte[] Input(Mutator mutator, byte[][] corpus) =>
        mutator.Next(16) == 0 ? mutator.Noise(64) : mutator.Mutate(corpus[mutator.Next(corpus.Length)]);

    private static void Hold(bool holds, string what, byte[] input) => FuzzFault.Unless(holds, what, () => Encoding.Latin1.GetString(input));
}
