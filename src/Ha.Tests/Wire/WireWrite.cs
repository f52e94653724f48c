using System.Globalization;

namespace Ha.Tests.OnTheWire;

/// <summary>One write, as its number and the seed say.</summary>
internal sealed class WireWrite
{
    // Where buffers end, on the way or in the code.
    private static readonly int[] _edges =
    [
        0, 0, 0, 0, 0, 0, 0, 1, 2, 4095, 4096, 4097, 16 * 1024, 65535, 65535, 65536, 65536, 65537, 65537, WireBytes.Largest,
    ];

    public WireWrite(int seed, int id)
    {
        var random = new Random(HashOf(seed, id));
        Id = id;
        BodySize = SizeOf(random);
        AnswerSize = SizeOf(random);
        Dialect = random.Next(20) switch { 0 => Dialect.Http10, < 3 => Dialect.Close, < 12 => Dialect.KeepAlive, _ => Dialect.Http2 };
        Node = random.Next(3);

        // An answer over HTTP/1.0 may end with its connection: cut by a relay, it looks whole to the best of clients.
        ThroughRelay = Dialect != Dialect.Http10 && random.Next(3) == 0;
        Chunked = Dialect != Dialect.Http10 && random.Next(4) == 0;
        AnswerFraming = random.Next(3) == 0 ? Framing.Chunked : Framing.Length;
        Writing = (Writing)random.Next(3);
        Keyed = random.Next(8) == 0;
    }

    public int Id { get; }

    public int BodySize { get; }

    public int AnswerSize { get; }

    public Dialect Dialect { get; }

    /// <summary>The node that is asked.</summary>
    public int Node { get; }

    /// <summary>True: the way to that node is rough, too.</summary>
    public bool ThroughRelay { get; }

    /// <summary>True: the body's length is not stated.</summary>
    public bool Chunked { get; }

    public Framing AnswerFraming { get; }

    public Writing Writing { get; }

    /// <summary>True: it has a key and goes where that is honoured, so it may be executed more than once.</summary>
    public bool Keyed { get; }

    public ReadOnlyMemory<byte> Body => WireBytes.Body(Id, BodySize);

    public ReadOnlyMemory<byte> Answer => WireBytes.Answer(Id, AnswerSize);

    public string Target => string.Create(
        CultureInfo.InvariantCulture, $"/{(Keyed ? "keyed" : "once")}/{Id}/{AnswerSize}/{AnswerFraming}/{Writing}");

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"write {Id} ({Dialect}{(ThroughRelay ? ", relay" : "")}{(Keyed ? ", key" : "")}, node {Node}, "
        + $"{BodySize}{(Chunked ? " chunked" : "")} up, {AnswerSize} {AnswerFraming} down)");

    public HttpRequestMessage Request()
    {
        var request = new HttpRequestMessage(HttpMethod.Post, Target) { Content = new ReadOnlyMemoryContent(Body) };
        if (Keyed)
        {
            request.Headers.Add("Idempotency-Key", string.Create(CultureInfo.InvariantCulture, $"\"{Id}\""));
        }

        return request;
    }

    /// <summary>The same on every machine and in every process.</summary>
    public static int HashOf(int seed, int number)
    {
        var hash = (((uint)seed * 0x9E3779B1u) ^ (uint)number) * 0x85EBCA6Bu;
        return (int)(hash ^ (hash >> 15));
    }

    // Many are small, some are not, and bytes enough for minutes.
    private static int SizeOf(Random random)
    {
        var (least, most) = random.Next(100) switch
        {
            < 2 => (512 * 1024, WireBytes.Largest),
            < 8 => (64 * 1024, 512 * 1024),
            < 28 => (4 * 1024, 64 * 1024),
            < 85 => (1, 4 * 1024),
            _ => (0, 0),
        };

        // Within a range each order of magnitude as often as any other.
        return most == 0
            ? _edges[random.Next(_edges.Length)]
            : (int)(least * Math.Exp(random.NextDouble() * Math.Log((double)most / least)));
    }
}
