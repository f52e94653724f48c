namespace Ha.Tests.Oracle;

/// <summary>How a client speaks to a node.</summary>
internal enum Front
{
    /// <summary>HTTP/1.1 by hand: what no client library would send or show.</summary>
    Raw,

    /// <summary>.NET's client, HTTP/1.1.</summary>
    Http1,

    /// <summary>.NET's client, HTTP/2 without TLS.</summary>
    Http2,
}

/// <summary>One request, and what the leader answers. All text is Latin-1: a character, a byte.</summary>
internal sealed record OracleCase(string Name)
{
    public static readonly IReadOnlyList<Front> Everywhere = Enum.GetValues<Front>();
    public static readonly IReadOnlyList<Front> RawOnly = [Front.Raw];

    public IReadOnlyList<Front> Fronts { get; init; } = Everywhere;

    public string Method { get; init; } = "POST";

    public string Target { get; init; } = "/x";

    /// <summary>Lines; without <c>Host</c> it is <c>shop.example</c>.</summary>
    public IReadOnlyList<string> Headers { get; init; } = [];

    /// <summary>Null: none, and no length either.</summary>
    public string? Body { get; init; }

    public bool Chunked { get; init; }

    /// <summary>Lines after the last chunk; the raw front alone can send them.</summary>
    public IReadOnlyList<string> Trailers { get; init; } = [];

    /// <summary>True: the body waits for 100 Continue.</summary>
    public bool Expects { get; init; }

    /// <summary>True: half of the body waits until the leader has the other half.</summary>
    public bool InHalves { get; init; }

    /// <summary>Not null: sent as it stands, by the raw front, whatever the properties above say.</summary>
    public string? Text { get; init; }

    public Reply Reply { get; init; } = Reply.Ok;

    /// <summary>True: there is something after the head.</summary>
    public bool HasBody => Body is not null || Chunked;

    /// <summary>The body as it is sent, in the halves in which it is sent.</summary>
    public IEnumerable<string> Pieces()
    {
        var body = Body ?? "";
        var middle = InHalves ? body.Length / 2 : 0;
        return new[] { body[..middle], body[middle..] }.Where(piece => piece.Length > 0);
    }

    public override string ToString() => Name;
}

/// <summary>What becomes of the connection after an answer.</summary>
internal enum Afterwards
{
    Keep,
    Close,
    Reset,
}

/// <summary>What the leader sends, byte for byte.</summary>
/// <param name="Head">With interim answers before it, if any.</param>
/// <param name="Body">With its framing.</param>
internal sealed record Reply(string Head, params IReadOnlyList<string> Body)
{
    public static readonly Reply Ok = Of("200 OK", "done");

    /// <summary>True: without having read the request's body, which is read afterwards.</summary>
    public bool BeforeBody { get; init; }

    /// <summary>True: each part waits until the client has the one before.</summary>
    public bool InSteps { get; init; }

    public Afterwards Then { get; init; }

    public bool IsUpgrade => Head.StartsWith("HTTP/1.1 101", StringComparison.Ordinal);

    /// <summary>An answer of known length.</summary>
    public static Reply Of(string status, string body, params IEnumerable<string> headers) =>
        new(HeadOf(status, [.. headers, $"Content-Length: {body.Length}"]), body);

    /// <summary>An answer in chunks.</summary>
    public static Reply Chunked(IEnumerable<string> chunks, params IEnumerable<string> headers) =>
        new(HeadOf("200 OK", [.. headers, "Transfer-Encoding: chunked"]), [.. chunks.Select(Chunk), Chunk("") + "\r\n"]);

    /// <summary>A head without any length.</summary>
    public static string HeadOf(string status, params IEnumerable<string> headers) =>
        $"HTTP/1.1 {status}\r\n{string.Concat(headers.Select(header => header + "\r\n"))}\r\n";

    /// <summary>Empty: the last chunk's first line.</summary>
    public static string Chunk(string data) => data.Length == 0 ? "0\r\n" : $"{data.Length:x}\r\n{data}\r\n";
}
