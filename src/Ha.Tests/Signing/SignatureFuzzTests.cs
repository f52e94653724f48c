using Ha.Heartbeat;
using Ha.Signing;
using Ha.Tests.Heartbeat;

namespace Ha.Tests.Signing;

public class SignatureFuzzTests
{
    private const int Seed = 9421;
    private static readonly KeyRing _keys = Rings.Of(Rings.OldSecret, Rings.NewSecret);
    private static readonly byte[] _body = BeatJson.Serialize(Beats.Request());
    private static readonly SignatureHeaders _request = HeartbeatSignature.SignRequest(_keys.Signer!, _body, 1_763_700_001);

    [Fact]
    public void No_change_to_a_request_leaves_it_valid_and_none_makes_the_verifier_throw()
    {
        var mutator = new Mutator(Seed);
        var refused = 0;
        for (var i = 0; i < Mutator.Inputs; i++)
        {
            var (headers, body) = Mutate(mutator, _request, _body);
            var same = headers == _request && body.AsSpan().SequenceEqual(_body);

            var verdict = HeartbeatSignature.VerifyRequest(_keys, headers, body);

            Assert.True(same == (verdict == SignatureVerdict.Valid), $"Input {i} of seed {Seed}: {verdict} {headers}");
            refused += same ? 0 : 1;
        }

        Assert.InRange(refused, Mutator.Inputs / 2, Mutator.Inputs - 1);
    }

    [Fact]
    public void No_change_to_a_reply_leaves_it_valid_and_none_makes_the_verifier_throw()
    {
        var original = BeatJson.Serialize(Beats.Reply());
        var signed = HeartbeatSignature.SignReply(_keys.Signer!, 200, original, _request, 1_763_700_001);
        var mutator = new Mutator(Seed + 1);
        int[] statuses = [200, 403, 409, 412];
        for (var i = 0; i < Mutator.Inputs; i++)
        {
            var (headers, body) = Mutate(mutator, signed, original);
            var status = mutator.Next(4) == 0 ? statuses[mutator.Next(4)] : 200;
            var same = status == 200 && headers == signed && body.AsSpan().SequenceEqual(original);

            var verdict = HeartbeatSignature.VerifyReply(_keys, headers, status, body, _request, out _);

            Assert.True(same == (verdict == SignatureVerdict.Valid), $"Input {i} of seed {Seed + 1}: {verdict} {status} {headers}");
        }
    }

    /// <summary>Changes one of the four parts, sometimes two.</summary>
    private static (SignatureHeaders Headers, byte[] Body) Mutate(Mutator mutator, SignatureHeaders headers, byte[] body)
    {
        for (var parts = mutator.Next(4) == 0 ? 2 : 1; parts > 0; parts--)
        {
            switch (mutator.Next(4))
            {
                case 0: headers = headers with { ContentDigest = mutator.Mutate(headers.ContentDigest!) }; break;
                case 1: headers = headers with { SignatureInput = mutator.Mutate(headers.SignatureInput!) }; break;
                case 2: headers = headers with { Signature = mutator.Mutate(headers.Signature!) }; break;
                default: body = mutator.Mutate(body); break;
            }
        }

        return (headers, body);
    }
}
