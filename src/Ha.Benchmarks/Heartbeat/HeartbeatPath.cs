using BenchmarkDotNet.Attributes;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Security;

namespace Ha.Benchmarks.Heartbeat;

/// <summary>
/// What a follower does with a renewal of its leader, without the web server: judge its signature, read it, apply it,
/// write and sign the answer. Each step alone, and all together.
/// </summary>
[MemoryDiagnoser]
[MinColumn]
public class HeartbeatPath
{
    private readonly Exchange _exchange = new();
    private ElectionCore _follower = Exchange.NewFollower();

    [IterationSetup]
    public void Acquaint() => _follower = Exchange.NewFollower();

    [Benchmark(OperationsPerInvoke = Exchange.Renewals)]
    public int Verify()
    {
        var valid = 0;
        for (var i = 0; i < Exchange.Renewals; i++)
        {
            valid += Verify(i) ? 1 : 0;
        }

        return All(valid);
    }

    [Benchmark(OperationsPerInvoke = Exchange.Renewals)]
    public int Parse()
    {
        var read = 0;
        for (var i = 0; i < Exchange.Renewals; i++)
        {
            read += BeatJson.TryParse(_exchange.Bodies[i], out Beat? _, out _) ? 1 : 0;
        }

        return All(read);
    }

    [Benchmark(OperationsPerInvoke = Exchange.Renewals)]
    public int Apply()
    {
        var granted = 0;
        for (var i = 0; i < Exchange.Renewals; i++)
        {
            granted += _follower.Receive(_exchange.Beats[i], Exchange.Now, Exchange.Wall).Granted ? 1 : 0;
        }

        return All(granted);
    }

    [Benchmark(OperationsPerInvoke = Exchange.Renewals)]
    public int Sign()
    {
        var signed = 0;
        for (var i = 0; i < Exchange.Renewals; i++)
        {
            signed += Sign(i, _exchange.Reply) > 0 ? 1 : 0;
        }

        return All(signed);
    }

    /// <summary>All but the answer.</summary>
    [Benchmark(OperationsPerInvoke = Exchange.Renewals)]
    public int VerifyParseApply()
    {
        var granted = 0;
        for (var i = 0; i < Exchange.Renewals; i++)
        {
            if (Verify(i) && BeatJson.TryParse(_exchange.Bodies[i], out Beat? beat, out _))
            {
                granted += _follower.Receive(beat, Exchange.Now, Exchange.Wall).Granted ? 1 : 0;
            }
        }

        return All(granted);
    }

    [Benchmark(OperationsPerInvoke = Exchange.Renewals)]
    public int Everything()
    {
        var answered = 0;
        for (var i = 0; i < Exchange.Renewals; i++)
        {
            if (Verify(i) && BeatJson.TryParse(_exchange.Bodies[i], out Beat? beat, out _) &&
                _follower.Receive(beat, Exchange.Now, Exchange.Wall) is { Granted: true } reply)
            {
                answered += Sign(i, reply) > 0 ? 1 : 0;
            }
        }

        return All(answered);
    }

    private bool Verify(int i) =>
        HeartbeatSignature.VerifyRequest(_exchange.Keys, _exchange.Headers[i], _exchange.Bodies[i]) == SignatureVerdict.Valid;

    private int Sign(int i, BeatReply reply)
    {
        var body = BeatJson.Serialize(reply);
        return HeartbeatSignature.SignReply(_exchange.Key, 200, body, _exchange.Headers[i], Exchange.Wall / 1_000_000).Signature!.Length;
    }

    /// <summary>A step that does nothing would be fast, too.</summary>
    private static int All(int done) =>
        done == Exchange.Renewals ? done : throw new InvalidOperationException($"Only {done} of {Exchange.Renewals} went through.");
}
