using System.Globalization;
using System.Text;
using Ha.Heartbeat;
using Ha.Security;
using Ha.Tests.Fuzzing;

namespace Ha.Tests.Security;

/// <summary>
/// Somebody without a key who has seen a few heartbeats on the wire and tries whatever can be sent, repeatable by its
/// seed but for what the heartbeats said.
/// </summary>
internal sealed class Outsider(int seed, BesiegedCluster cluster)
{
    private static readonly string[] _methods =
        ["GET", "GET", "HEAD", "POST", "POST", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "post", "GARBAGE", "CONNECT"];

    private static readonly string[] _paths =
    [
        "/_ha", "/_ha/", "/_ha/leader", "/_HA/Leader/", "/_ha/peers", "/_ha/healthz", "/_ha/healthz/leader", "/_ha/healthz/ready?leader=known",
        "/_ha/step-down", "/_ha/step-down/", "/_ha/STEP-DOWN", "/_ha/heartbeat", "/_ha/Heartbeat/", "/_ha/heartbeat?to=b", "/_ha/heartbeat/x",
        "/_ha/./heartbeat", "/notes/../_ha/step-down", "/%5Fha/heartbeat", "//_ha/heartbeat", "/_ha/nothing", "/_ha/%00", "/_ha/%FF%C0%80", "/_ha/\xFF",
        "http://evil.example/_ha/step-down", "http://evil.example/notes", "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch", "/notes", "*",
    ];

    private static readonly string[] _fields =
    [
        "X-Base-Leader: http://127.0.0.1:9", "X-Base-Epoch: 9007199254740992", "X-Base-Node: a", "X-Base-Not-Executed: 1", "X-Base-Forward: proxy",
        "X-Base-Forwarded-By: a", "X-Base-Forwarded-By: b", "X-Base-Forwarded-By: c", "X-Base-Forwarded-By: evil", "X-Base-Forwarded-By: ,,a%2Cb,",
        "X-Forwarded-Host: evil.example", "X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1;host=evil.example", "Connection: X-Base-Leader",
        "Authorization: Bearer", "Authorization: Bearer a-token-for-the-tests-onlY", "Authorization: Bearer a-token-for-the-tests-only x",
        "Authorization: Basic Og==", "Authorization: Basic !", "Authorization: Digest a-token-for-the-tests-only", "X-HTTP-Method-Override: POST",
        "Content-Type: application/json", "Content-Type: application/grpc", "Content-Encoding: gzip", "Idempotency-Key: k", "Te: trailers",
        "Grpc-Timeout: 99999999H", "Cookie: Authorization=Bearer a-token-for-the-tests-only",
    ];

    private static readonly string[] _bodies =
        ["", "{}", "{\"to\":\"b\"}", "{\"to\":\"c\",\"to\":\"b\"}", "null", "[", "\0\xFF\xFE", "\0\0\0\0\0", "\0\0\0\0\v\n\tha.Leader", "to=b"];

    private readonly Random _random = new(seed);
    private readonly Mutator _mutator = new(seed);
    private readonly HaKey _ownKey = new HmacKey("a secret that is not theirs");

    public Attempt Next() => _random.Next(8) switch
    {
        0 => Beat("replayed", Pick(cluster.Captured)),
        1 or 2 => Beat("changed", Changed(Pick(cluster.Captured))),
        3 => Beat("forged", Forged()),
        4 => Beat("garbage", new CapturedBeat(new SignatureHeaders(Noise(), Noise(), Noise()), _mutator.Noise(200))),
        _ => Request(),
    };

    /// <summary>Any method on any route with anything a client may write into its head.</summary>
    private Attempt Request()
    {
        var (method, path) = (Pick(_methods), Pick(_paths));
        var fields = string.Concat(Enumerable.Range(0, _random.Next(5)).Select(_ => Pick(_fields) + "\r\n"));
        var mayWrite = path.Contains("notes", StringComparison.Ordinal) && !path.Contains("_ha", StringComparison.Ordinal);
        return new Attempt(mayWrite ? "write" : "request", Text(method, path, fields, Pick(_bodies)), mayWrite || method is "GET" or "HEAD");
    }

    private static Attempt Beat(string kind, CapturedBeat beat)
    {
        var (digest, input, signature) = beat.Headers;
        var fields = $"Content-Type: application/json\r\nContent-Digest: {digest}\r\nSignature-Input: {input}\r\nSignature: {signature}\r\n";
        return new Attempt(kind, Text("POST", HeartbeatSignature.Path, fields, Encoding.Latin1.GetString(beat.Body)), MaySucceed: false);
    }

    // The end of the connection comes first, so that no change can push it out of the head.
    private static string Text(string method, string path, string fields, string body) => string.Create(
        CultureInfo.InvariantCulture,
        $"{method} {path} HTTP/1.1\r\nConnection: close\r\nHost: evil.example\r\nContent-Length: {body.Length}\r\n{fields}\r\n{body}");

    /// <summary>A real one with at least one part changed, cut off, or taken from another.</summary>
    private CapturedBeat Changed(CapturedBeat beat)
    {
        var other = Pick(cluster.Captured);
        var (headers, body) = (beat.Headers, beat.Body);
        return _random.Next(9) switch
        {
            0 => beat with { Headers = headers with { Signature = headers.Signature![.._random.Next(headers.Signature!.Length)] } },
            1 => beat with { Headers = headers with { SignatureInput = headers.SignatureInput![.._random.Next(headers.SignatureInput!.Length)] } },
            2 => beat with { Headers = headers with { Signature = other.Headers.Signature } },
            3 => beat with { Headers = headers with { Signature = _mutator.Mutate(headers.Signature!) } },
            4 => beat with { Headers = headers with { SignatureInput = _mutator.Mutate(headers.SignatureInput!) } },
            5 => beat with { Headers = headers with { ContentDigest = _mutator.Mutate(headers.ContentDigest!) } },
            6 => beat with { Body = other.Body },
            7 => beat with { Body = BeatJson.Serialize(cluster.Wish(_random)) },
            _ => beat with { Body = _mutator.Mutate(body) },
        };
    }

    /// <summary>What the outsider would like to be true, signed by its own key, under its own name or that of a known key.</summary>
    private CapturedBeat Forged()
    {
        var body = BeatJson.Serialize(cluster.Wish(_random));
        Assert.Equal(SignatureVerdict.Valid, HeartbeatSignature.VerifyRequestHeaders(
            new KeyRing([new RingKey(new HmacKey(BesiegedCluster.Secret), null)]), Pick(cluster.Captured).Headers, out var known));
        HaKey claimed = _random.Next(4) switch
        {
            0 => _ownKey,
            1 => new Forger(_ownKey, known.Key.KeyId, "none"),
            _ => new Forger(_ownKey, known.Key.KeyId, known.Key.Algorithm),
        };
        return new CapturedBeat(HeartbeatSignature.SignRequest(claimed, body, TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()), body);
    }

    // What a server lets through as the value of a field.
    private string Noise() => string.Concat(_mutator.Noise(80).Select(b => (char)(' ' + b % ('\x7f' - ' '))));

    private T Pick<T>(IReadOnlyList<T> from) => from[_random.Next(from.Count)];
}

/// <param name="Kind">For the report.</param>
/// <param name="Text">What goes onto the wire, a byte for each character.</param>
/// <param name="MaySucceed">False: an answer of 2xx would mean that somebody without a key was listened to.</param>
internal sealed record Attempt(string Kind, string Text, bool MaySucceed);
