using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Security;

namespace Ha.Benchmarks.Members;

/// <summary>
/// Election cores on simulated time, a network that delays by a quarter of a millisecond and loses nothing. Each message
/// is encoded, signed, verified and parsed, so processor time and bytes are those of the protocol without sockets.
/// </summary>
internal sealed class SimulatedMembers
{
    private const long DelayMicros = 250;
    private const long IntervalMicros = 500_000;
    private const long LeaseMicros = 1_500_000;
    private const long Wall = 1_800_000_000_000_000;

    // Request line, header names and signatures of a request and of a reply, as they go over HTTP/1.1.
    private const int HeaderBytes = 480 + 420;

    private readonly PriorityQueue<Action, (long At, long Order)> _events = new();
    private readonly ElectionCore?[] _cores;
    private readonly ElectionConfig[] _configs;
    private readonly bool[,] _sending;
    private readonly long[] _wakeAt;
    private readonly KeyRing _keys;
    private long _now = 1;
    private long _order;
    private long _exchanges;
    private long _bytes;

    private SimulatedMembers(int count)
    {
        _keys = new KeyRing([new RingKey(new HmacKey("a secret that only this benchmark knows"), null)]);
        var random = new Random(1);
        _configs = [.. Enumerable.Range(0, count).Select(i => new ElectionConfig
        {
            ClusterId = "default",
            NodeId = $"node-{i:000}",
            Incarnation = Guid.NewGuid(),
            Target = Url(i),
            PublicTarget = Url(i),
            Peers = [.. Enumerable.Range(0, count).Where(peer => peer != i).Select(Url)],
            IntervalMicros = IntervalMicros,
            LeaseMicros = LeaseMicros,
            Majority = true,
            Preempt = PreemptMode.Auto,
            DrainMicros = 5_000_000,
            Digest = "one",
            NewNonce = Guid.NewGuid,
        })];
        _cores = new ElectionCore?[count];
        _sending = new bool[count, count];
        _wakeAt = new long[count];
        for (var i = 0; i < count; i++)
        {
            var node = i;

            // Nobody starts all machines in the same millisecond.
            At(random.Next(1, 100_000), () =>
            {
                _cores[node] = new ElectionCore(_configs[node], _now, Wall + _now);
                _cores[node]!.SetReady(_now);
                Settle(node);
            });
        }
    }

    public static MembersRow Measure(int count, int seconds)
    {
        var world = new SimulatedMembers(count);
        var converged = world.RunUntilAgreed(after: 0) / 1000.0;
        world.RunFor(5_000_000);
        var (exchanges, bytes) = (world._exchanges, world._bytes);
        using var self = Process.GetCurrentProcess();
        var cpu = self.TotalProcessorTime;
        world.RunFor(seconds * 1_000_000L);
        self.Refresh();
        cpu = self.TotalProcessorTime - cpu;
        exchanges = world._exchanges - exchanges;
        bytes = world._bytes - bytes;

        var leader = Array.FindIndex(world._cores, core => core!.IsLeaderAt(world._now));
        var epoch = world._cores[leader]!.Epoch;
        world._cores[leader] = null;
        var gone = world._now;
        var takeover = (world.RunUntilAgreed(epoch) - gone) / 1000.0;
        return new MembersRow(
            count, Simulated: true, cpu.TotalSeconds / seconds / count, (double)bytes / seconds / count, (double)exchanges / seconds,
            cpu.TotalMicroseconds / exchanges, converged, takeover);
    }

    private static string Url(int index) => $"http://10.0.0.{index}:8080";

    private void At(long when, Action what) => _events.Enqueue(what, (when, _order++));

    private void RunFor(long micros)
    {
        var until = _now + micros;
        while (_events.TryPeek(out _, out var next) && next.At <= until)
        {
            Step();
        }

        _now = until;
    }

    private long RunUntilAgreed(long after)
    {
        while (!Agreed(after))
        {
            Step();
        }

        return _now;
    }

    private void Step()
    {
        _events.TryDequeue(out var what, out var when);
        _now = when.At;
        what!();
    }

    private bool Agreed(long after)
    {
        var leader = Array.FindIndex(_cores, core => core?.IsLeaderAt(_now) == true);
        return leader >= 0 && _cores[leader]!.Epoch > after
            && Array.TrueForAll(_cores, core => core is null || core == _cores[leader] || core.LeaderSeenAt(_now)?.Epoch == _cores[leader]!.Epoch);
    }

    private void Settle(int node)
    {
        var core = _cores[node]!;
        core.TakeEvents();
        for (var peer = 0; peer < core.PeerCount; peer++)
        {
            if (!_sending[node, peer] && core.WantsBeat(peer))
            {
                Send(node, peer, core.CreateBeat(peer, _now, Wall + _now));
            }
        }

        var at = Math.Max(core.NextDeadline, _now + 1);
        if (at != _wakeAt[node])
        {
            _wakeAt[node] = at;
            At(at, () =>
            {
                if (_wakeAt[node] == at && _cores[node] is { } waking)
                {
                    _wakeAt[node] = 0;
                    waking.Tick(_now, Wall + _now);
                    Settle(node);
                }
            });
        }
    }

    private void Send(int node, int peer, Beat beat)
    {
        _sending[node, peer] = true;
        var other = peer < node ? peer : peer + 1;
        var body = BeatJson.Serialize(beat);
        var signed = HeartbeatSignature.SignRequest(_keys.Signer!, body, (Wall + _now) / 1_000_000);
        At(_now + DelayMicros, () =>
        {
            if (_cores[other] is not { } core)
            {
                At(_now + DelayMicros, () => Fail(node, peer, beat));
                return;
            }

            Require(HeartbeatSignature.VerifyRequestHeaders(_keys, signed, out _) == SignatureVerdict.Valid && ContentDigest.Matches(signed.ContentDigest, body));
            Require(BeatJson.TryParse(body, out Beat? read, out string _));
            var reply = core.Receive(read, _now, Wall + _now);
            Settle(other);
            var answer = BeatJson.Serialize(reply);
            var answerSigned = HeartbeatSignature.SignReply(_keys.Signer!, 200, answer, signed, (Wall + _now) / 1_000_000);
            At(_now + DelayMicros, () => TakeReply(node, peer, answer, answerSigned, signed, body.Length));
        });
    }

    private void TakeReply(int node, int peer, byte[] answer, SignatureHeaders answerSigned, SignatureHeaders signed, int bodyBytes)
    {
        _sending[node, peer] = false;
        if (_cores[node] is not { } core)
        {
            return;
        }

        Require(HeartbeatSignature.VerifyReply(_keys, answerSigned, 200, answer, signed, out _) == SignatureVerdict.Valid);
        Require(BeatJson.TryParse(answer, out BeatReply? reply, out string _));
        _exchanges++;
        _bytes += bodyBytes + answer.Length + HeaderBytes;
        core.ReceiveReply(peer, reply, _now, Wall + _now);
        Settle(node);
    }

    private void Fail(int node, int peer, Beat beat)
    {
        _sending[node, peer] = false;
        if (_cores[node] is { } core)
        {
            core.BeatFailed(peer, beat.Seq, _now);
            Settle(node);
        }
    }

    private static void Require([DoesNotReturnIf(false)] bool holds)
    {
        if (!holds)
        {
            throw new InvalidOperationException("A message was not understood.");
        }
    }
}
