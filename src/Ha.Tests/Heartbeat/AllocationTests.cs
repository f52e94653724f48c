using Ha.Election;
using Ha.Heartbeat;
using Ha.Security;
using Ha.Tests.Election;
using Ha.Tests.Security.Signing;

namespace Ha.Tests.Heartbeat;

/// <summary>Heartbeats come for as long as a node runs; what one of them leaves behind, the garbage collector finds for ever.</summary>
public class AllocationTests
{
    private const int Renewals = 50;
    private const long Created = 1_763_700_001;

    [Fact]
    public void A_follower_answers_a_signed_renewal_without_an_allocation()
    {
        var cluster = new Cores(majority: true, awaitFloor: false, "a", "b", "c");
        cluster.Run(20 * Cores.Interval, () => cluster.Leaders is ["a"]);
        var answer = new byte[BeatLimits.MaxBodyBytes];
        for (var i = 0; i < Renewals; i++)
        {
            var body = BeatJson.Serialize(cluster.Beat("a", "b"));
            var headers = HeartbeatSignature.SignRequest(Rings.Old.Signer!, body, Created);

            var before = GC.GetAllocatedBytesForCurrentThread();
            var length = Answer(cluster["b"], cluster.Now, headers, body, answer);
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

            // The first ones pay for statics, for texts seen for the first time and for hashes that are kept.
            Assert.True(i < Renewals / 2 || allocated == 0, $"renewal {i} allocated {allocated} bytes");
            Assert.True(BeatJson.TryParse(answer.AsSpan(0, length), out BeatReply reply, out var reason), reason);
            Assert.True(reply.Granted);
            cluster.TakeReply("a", "b", reply);
        }
    }

    /// <summary>Steps 1 to 4 of the endpoint without the web server, whose header values must be strings.</summary>
    private static int Answer(ElectionCore core, long now, SignatureHeaders headers, ReadOnlySpan<byte> body, Span<byte> answer)
    {
        var verdict = HeartbeatSignature.VerifyRequest(Rings.Old, headers, body);
        if (verdict != SignatureVerdict.Valid || !BeatJson.TryParse(body, out Beat beat, out _))
        {
            return 0;
        }

        var reply = BeatWriter.OfThread.Write(core.Receive(beat, now, now));
        HeartbeatSignature.SignReply(Rings.Old.Signer!, 200, reply, headers, Created, stackalloc char[SignedHeaders.MaxLength]);
        reply.CopyTo(answer);
        return reply.Length;
    }
}
