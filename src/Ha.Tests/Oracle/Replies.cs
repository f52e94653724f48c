using System.Globalization;

namespace Ha.Tests.Oracle;

/// <summary>What leaders answer.</summary>
internal static class Replies
{
    public static readonly string Large = Noise(100_000);

    private static readonly int[] _statuses =
    [
        200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 299, 300, 301, 302, 303, 304, 305, 307, 308, 399, 400, 401, 402, 403, 404, 405, 406,
        407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502,
        503, 504, 505, 506, 507, 508, 510, 511, 599, 600, 999,
    ];

    /// <summary>Those that any request can get, by name.</summary>
    public static IReadOnlyDictionary<string, Reply> Any { get; } = All().ToDictionary(StringComparer.Ordinal);

    private static IEnumerable<KeyValuePair<string, Reply>> All() => [.. Statuses(), .. Bodies(), .. HeaderLines(), .. Broken(), .. Malformed()];

    private static IEnumerable<KeyValuePair<string, Reply>> Statuses()
    {
        foreach (var status in _statuses)
        {
            var line = status.ToString(CultureInfo.InvariantCulture) + " Some Reason";
            yield return status is 204 or 304
                ? new($"status {status}", new Reply(Reply.HeadOf(line, "ETag: \"1\"")))
                : new($"status {status}", Reply.Of(line, "body"));
        }

        yield return new("204 with a length", Reply.Of("204 No Content", ""));
        yield return new("304 with the length of what it leaves out", new Reply(Reply.HeadOf("304 Not Modified", "Content-Length: 5")));
        yield return new("205 in chunks", new Reply(Reply.HeadOf("205 Reset Content", "Transfer-Encoding: chunked"), Reply.Chunk("") + "\r\n"));
        yield return new("no reason", Reply.Of("200 ", "body"));
        yield return new("another reason", Reply.Of("200 Well, Well", "body"));
        yield return new("early hints", Interim("103 Early Hints", "Link: </a.css>; rel=preload"));
        yield return new("102 before the answer", Interim("102 Processing"));
        yield return new("100 that nobody asked for", Interim("100 Continue"));
        yield return new("two interim answers", Interim("103 Early Hints", "Link: </a>") with { Head = Reply.HeadOf("102 Processing") + Interim("103 Early Hints").Head });
    }

    private static IEnumerable<KeyValuePair<string, Reply>> Bodies()
    {
        yield return new("empty, of known length", Reply.Of("200 OK", ""));
        yield return new("empty, in chunks", Reply.Chunked([]));
        yield return new("100 KB of known length", Reply.Of("200 OK", Large));
        yield return new("100 KB in one chunk", Reply.Chunked([Large]));
        yield return new("many small chunks", Reply.Chunked(Enumerable.Repeat("abc", 500)));
        yield return new("until the connection closes", new Reply(Reply.HeadOf("200 OK", "Connection: close"), "body") { Then = Afterwards.Close });
        yield return new("HTTP/1.0", new Reply("HTTP/1.0 200 OK\r\nX-Old: yes\r\n\r\n", "body") { Then = Afterwards.Close });
        yield return new("length and chunks", new Reply(Reply.HeadOf("200 OK", "Content-Length: 3", "Transfer-Encoding: chunked"), Reply.Chunk("body"), "0\r\n\r\n") { Then = Afterwards.Close });
        yield return new("chunk extensions", new Reply(Reply.HeadOf("200 OK", "Transfer-Encoding: chunked"), "4;a=b\r\nbody\r\n0\r\n\r\n"));
        yield return new("trailers", new Reply(
            Reply.HeadOf("200 OK", "Trailer: X-Sum, X-More", "Transfer-Encoding: chunked"), Reply.Chunk("body"), "0\r\nX-Sum: 1\r\nX-More: 2\r\nX-More: 3\r\n\r\n"));
        yield return new("trailers and no body", new Reply(Reply.HeadOf("200 OK", "Transfer-Encoding: chunked"), "0\r\nX-Sum: 1\r\n\r\n"));
        yield return new("a head long before its body", Reply.Of("200 OK", "body") with { InSteps = true });
        yield return new("a head long before its chunks", Reply.Chunked(["one", "two"]) with { InSteps = true });
        yield return new("events as they come", Reply.Chunked(["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"], "Content-Type: text/event-stream") with { InSteps = true });
        yield return new("known length in two steps", new Reply(Reply.HeadOf("200 OK", "Content-Length: 8"), "half", "half") { InSteps = true });
        yield return new("closing afterwards", Reply.Of("200 OK", "body", "Connection: close") with { Then = Afterwards.Close });
    }

    private static IEnumerable<KeyValuePair<string, Reply>> HeaderLines()
    {
        yield return With("two cookies", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; Expires=Wed, 21 Oct 2035 07:28:00 GMT");
        yield return With("a relative location", "Location: ../y?a=%2f");
        yield return With("an absolute location", "Location: http://shop.example/y#z");
        yield return With("repeated headers", "X-A: 1", "X-B: 2", "X-A: 3, 4", "Vary: a", "Vary: b", "Cache-Control: no-cache", "Cache-Control: private");
        yield return With("an empty header", "X-Empty:", "X-A: 1");
        yield return With("a header with blanks", "X-A: \t a  b \t");
        yield return With("a value in UTF-8", "X-Name: gr\u00c3\u00bcn");
        yield return With("a value in Latin-1", "X-Name: gr\u00fcn");
        yield return With("content headers", "Content-Type: text/plain; charset=latin1", "Content-Language: de, fr", "Content-Encoding: gzip", "Content-Disposition: inline", "Expires: 0", "Last-Modified: yesterday", "Allow: GET", "Content-Range: bytes 0-3/9");
        yield return With("names of the server", "Server: leader", "Via: 1.1 inner", "X-Powered-By: ha");
        yield return With("hop-by-hop headers", "Connection: X-Hop, keep-alive", "X-Hop: 1", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive");
        yield return With("the proxy's authentication", "Proxy-Authenticate: Basic", "Proxy-Authentication-Info: x");
        yield return With("an offer to upgrade", "Upgrade: h2c", "Connection: Upgrade");
        yield return With("another way to the same", "Alt-Svc: h3=\":443\"");
        yield return With("HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__");
        yield return With("transport security", "Strict-Transport-Security: max-age=1", "Content-Security-Policy: a", "Content-Security-Policy: b");
        yield return With("challenges", "WWW-Authenticate: Basic realm=\"a\"", "WWW-Authenticate: Bearer");
        yield return With("names of the cluster", "X-Base-Node: leader", "X-Base-Leader: http://leader.example", "X-Base-Epoch: 7");
        yield return With("80 KB of headers", [.. Enumerable.Range(0, 80).Select(i => $"X-Long-{i}: {new string('a', 1000)}")]);
        yield return With("a folded header", "X-A: 1\r\n  2");
        yield return With("a date", "Age: 10", "Retry-After: 5", "Warning: 199 - \"x\"", "Pragma: no-cache");
        yield return new("not executed", Reply.Of("503 Service Unavailable", "{}", "X-Base-Not-Executed: 1"));
    }

    private static IEnumerable<KeyValuePair<string, Reply>> Broken()
    {
        yield return Breaking("closed without an answer", new Reply(""));
        yield return Breaking("reset without an answer", new Reply(""), Afterwards.Reset);
        yield return Breaking("half a head", new Reply("HTTP/1.1 200 OK\r\nContent-"));
        yield return Breaking("an interim answer and no other", new Reply(Reply.HeadOf("103 Early Hints")));
        yield return Breaking("a head without its body", new Reply(Reply.HeadOf("200 OK", "Content-Length: 8")));
        yield return Breaking("a head without its chunks", new Reply(Reply.HeadOf("200 OK", "Transfer-Encoding: chunked")));
        yield return Breaking("half a body", new Reply(Reply.HeadOf("200 OK", "Content-Length: 8"), "half"));
        yield return Breaking("half a body, seen before it broke", new Reply(Reply.HeadOf("200 OK", "Content-Length: 8"), "half", "") { InSteps = true });
        yield return Breaking("half a body, seen before it was reset", new Reply(Reply.HeadOf("200 OK", "Content-Length: 8"), "half", "") { InSteps = true }, Afterwards.Reset);
        yield return Breaking("no last chunk", new Reply(Reply.HeadOf("200 OK", "Transfer-Encoding: chunked"), Reply.Chunk("half")));
        yield return Breaking("no last chunk, seen before it broke", new Reply(Reply.HeadOf("200 OK", "Transfer-Encoding: chunked"), Reply.Chunk("half"), "") { InSteps = true });
        yield return Breaking("half a chunk", new Reply(Reply.HeadOf("200 OK", "Transfer-Encoding: chunked"), "8\r\nhalf"));
        yield return Breaking("broken after 100 KB", new Reply(Reply.HeadOf("200 OK", "Content-Length: 200000"), Large, "") { InSteps = true });
    }

    private static IEnumerable<KeyValuePair<string, Reply>> Malformed()
    {
        yield return Breaking("another protocol", new Reply("SSH-2.0-x\r\n\r\n"));
        yield return Breaking("no status", new Reply("HTTP/1.1 abc\r\n\r\n"));
        yield return Breaking("two lengths", new Reply(Reply.HeadOf("200 OK", "Content-Length: 4", "Content-Length: 5"), "body"));
        yield return Breaking("a negative length", new Reply(Reply.HeadOf("200 OK", "Content-Length: -4"), "body"));
        yield return Breaking("a chunk of no size", new Reply(Reply.HeadOf("200 OK", "Transfer-Encoding: chunked"), "x\r\nbody\r\n0\r\n\r\n"));
        yield return Breaking("a line that is no header", new Reply("HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 4\r\n\r\n", "body"));
        yield return Breaking("an upgrade that nobody asked for", new Reply(Reply.HeadOf("101 Switching Protocols", "Connection: Upgrade", "Upgrade: x")));
    }

    private static KeyValuePair<string, Reply> With(string name, params IEnumerable<string> headers) => new(name, Reply.Of("200 OK", "body", headers));

    private static KeyValuePair<string, Reply> Breaking(string name, Reply reply, Afterwards then = Afterwards.Close) => new(name, reply with { Then = then });

    private static Reply Interim(string status, params IEnumerable<string> headers) =>
        Reply.Of("200 OK", "body") with { Head = Reply.HeadOf(status, headers) + Reply.Of("200 OK", "body").Head };

    private static string Noise(int length) => string.Create(length, new Random(12), static (text, random) =>
    {
        foreach (ref var c in text)
        {
            c = (char)random.Next(256);
        }
    });
}
