using System.Text;
using Ha.Configuration;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Tests.Heartbeat;

namespace Ha.Tests.Fuzzing;

/// <summary>
/// The heartbeat's JSON: no bytes make it throw; the short cut takes nothing that the parser does not take alike; what is
/// accepted is in range, and written and read again it is the same.
/// </summary>
internal static class ParserFuzz
{
    private static readonly byte[][] _requests = Corpus(BeatJson.Serialize(Beats.Request()), BeatJson.Serialize(Beats.Request() with { From = Bare() }));
    private static readonly byte[][] _replies = Corpus(BeatJson.Serialize(Beats.Reply()), BeatJson.Serialize(Beats.Reply(BeatStatus.Conflict) with { From = Bare() }));

    public static FuzzTarget Requests { get; } = new("parser, requests", mutator => Request(Input(mutator, _requests)));

    public static FuzzTarget Replies { get; } = new("parser, replies", mutator => Reply(Input(mutator, _replies)));

    private static string Request(byte[] input)
    {
        var quick = new CanonicalReader(input).TryRead(out BeatDraft draft);
        var any = BeatJson.TryReadAny(input, out BeatDraft thorough, out _);
        var accepted = BeatJson.TryParse(input, out Beat beat, out var reason);
        Hold(accepted == any, "the short cut takes what the parser refuses", input);
        if (!accepted)
        {
            Hold(reason.Length > 0, "refused without a reason", input);
            return reason;
        }

        Hold(beat == thorough.Build() && (!quick || beat == draft.Build()), "two readings of one text", input);
        Hold(IsInRange(beat.From) && IsEpoch(beat.OpEpoch) && IsDuration(beat.OpDurationMicros) && Enum.IsDefined(beat.Op)
            && beat.Seq is >= 0 and <= BeatLimits.MaxSafeInteger, "accepted out of range", input);
        Hold(new CanonicalReader(BeatJson.Serialize(beat)).TryRead(out BeatDraft again) && again.Build() == beat, "not the same when written and read", input);
        return FuzzReport.Accepted;
    }

    private static string Reply(byte[] input)
    {
        var quick = new CanonicalReader(input).TryRead(out ReplyDraft draft);
        var any = BeatJson.TryReadAny(input, out ReplyDraft thorough, out _);
        var accepted = BeatJson.TryParse(input, out BeatReply reply, out var reason);
        Hold(accepted == any, "the short cut takes what the parser refuses", input);
        if (!accepted)
        {
            Hold(reason.Length > 0, "refused without a reason", input);
            return reason;
        }

        Hold(reply == thorough.Build() && (!quick || reply == draft.Build()), "two readings of one text", input);
        Hold(IsInRange(reply.From) && IsEpoch(reply.OpEpoch) && IsEpoch(reply.EpochFloor) && IsDuration(reply.RefusalRemainingMicros)
            && Enum.IsDefined(reply.Status) && Enum.IsDefined(reply.Refusal) && reply.Seq is >= 0 and <= BeatLimits.MaxSafeInteger, "accepted out of range", input);
        Hold(new CanonicalReader(BeatJson.Serialize(reply)).TryRead(out ReplyDraft again) && again.Build() == reply, "not the same when written and read", input);
        return FuzzReport.Accepted;
    }

    private static NodeFacts Bare() => Beats.Facts() with { Grant = null, Hint = null, Successor = null };

    /// <summary>Two in the spelling of this product, and one that only the parser reads.</summary>
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

    private static bool IsInRange(NodeFacts facts) =>
        IsId(facts.Id) && IsId(facts.ClusterId) && IsId(facts.Digest) &&
        (facts.Successor is null || IsId(facts.Successor)) &&
        IsUrl(facts.Target) && IsUrl(facts.PublicTarget) &&
        IsDuration(facts.LeaseMicros) && IsDuration(facts.CandidacyMicros) && IsDuration(facts.LeaseRemainingMicros) &&
        IsEpoch(facts.Epoch) && IsEpoch(facts.MaxEpoch) && IsEpoch(facts.ReleasedUpTo) && IsEpoch(facts.CancelledEpoch) &&
        Enum.IsDefined(facts.Role) && facts.Reach is >= 0 and <= BeatLimits.MaxReach &&
        facts.WallMicros is >= 0 and <= BeatLimits.MaxSafeInteger &&
        (facts.Grant is not { } grant || (IsId(grant.Holder) && IsEpoch(grant.Epoch) && IsDuration(grant.RemainingMicros))) &&
        (facts.Hint is not { } hint || (IsUrl(hint.Target) && IsEpoch(hint.Epoch)));

    private static bool IsId(string text) => text.Length is > 0 and <= 128 && text.All(c => c is > ' ' and <= '~');

    private static bool IsUrl(string text) =>
        TargetUrl.TryNormalise(text, out var normalised, out _) && string.Equals(normalised, text, StringComparison.Ordinal);

    private static bool IsEpoch(long epoch) => epoch is >= 0 and <= (1L << 53) - (1L << 40);

    private static bool IsDuration(long micros) => micros is >= 0 and <= 86_400_000_000;
}
