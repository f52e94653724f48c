using System.Text;
using Ha.Configuration;
using Ha.Election;
using Ha.Heartbeat;

namespace Ha.Tests.Heartbeat;

public class BeatJsonFuzzTests
{
    private const int Seed = 20251121;

    [Fact]
    public void No_bytes_make_the_request_parser_throw_or_accept_a_value_out_of_range()
    {
        var valid = BeatJson.Serialize(Beats.Request());
        var mutator = new Mutator(Seed);
        var accepted = 0;
        for (var i = 0; i < Mutator.Inputs; i++)
        {
            var input = mutator.Mutate(valid);
            if (new CanonicalReader(input).TryRead(out BeatDraft draft))
            {
                Assert.True(BeatJson.TryReadAny(input, out BeatDraft same, out _) && draft.Build() == same.Build(), Show(input, i));
            }

            if (BeatJson.TryParse(input, out Beat beat, out var reason))
            {
                accepted++;
                AssertInRange(beat, input, i);
            }
            else
            {
                Assert.False(string.IsNullOrEmpty(reason), $"Input {i} of seed {Seed}");
            }
        }

        // Some mutations change nothing or only a free value: without any of them this test would test nothing.
        Assert.InRange(accepted, Mutator.Inputs / 20, Mutator.Inputs * 19 / 20);
    }

    [Fact]
    public void No_bytes_make_the_reply_parser_throw_or_accept_a_value_out_of_range()
    {
        var valid = BeatJson.Serialize(Beats.Reply());
        var mutator = new Mutator(Seed + 1);
        var accepted = 0;
        for (var i = 0; i < Mutator.Inputs; i++)
        {
            var input = mutator.Mutate(valid);
            if (new CanonicalReader(input).TryRead(out ReplyDraft draft))
            {
                Assert.True(BeatJson.TryReadAny(input, out ReplyDraft same, out _) && draft.Build() == same.Build(), Show(input, i));
            }

            if (BeatJson.TryParse(input, out BeatReply reply, out _))
            {
                accepted++;
                Assert.True(IsInRange(reply.From) && IsEpoch(reply.OpEpoch) && IsEpoch(reply.EpochFloor) &&
                    IsDuration(reply.RefusalRemainingMicros) && Enum.IsDefined(reply.Status) && Enum.IsDefined(reply.Refusal) &&
                    reply.Seq is >= 0 and <= BeatLimits.MaxSafeInteger, Show(input, i));
                Assert.Equal(reply, BeatJsonTests.ReadReply(reply));
            }
        }

        Assert.InRange(accepted, Mutator.Inputs / 20, Mutator.Inputs * 19 / 20);
    }

    [Fact]
    public void No_random_bytes_make_the_parser_throw()
    {
        var random = new Random(Seed);
        for (var i = 0; i < Mutator.Inputs / 4; i++)
        {
            var input = new byte[random.Next(64)];
            random.NextBytes(input);

            Assert.False(BeatJson.TryParse(input, out Beat _, out _), Show(input, i));
        }
    }

    private static void AssertInRange(Beat beat, byte[] input, int number)
    {
        Assert.True(IsInRange(beat.From) && IsEpoch(beat.OpEpoch) && IsDuration(beat.OpDurationMicros) &&
            Enum.IsDefined(beat.Op) && beat.Seq is >= 0 and <= BeatLimits.MaxSafeInteger, Show(input, number));
        Assert.True(BeatJson.TryParse(BeatJson.Serialize(beat), out Beat again, out var reason), reason);
        Assert.Equal(beat, again);
    }

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

    private static string Show(byte[] input, int number) => $"Input {number} of seed {Seed}: {Encoding.Latin1.GetString(input)}";
}
