using Ha.Tests.Support;

namespace Ha.Tests.Oracle;

/// <summary>What clients ask: the parts of requests, and whole ones that need each other's parts.</summary>
internal static class Questions
{
    public static IReadOnlyList<string> Methods { get; } =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "TRACE", "PURGE", "purge", "post", "Patch", "gEt", "M-SEARCH"];

    public static IReadOnlyList<string> Targets { get; } =
    [
        "/", "/?", "/x?", "/x??a", "/x?a=%20&b=+&c=%2B", "/x?q=\"<>|\\^`{}", "/a%2Fb", "/a%2fb%5Cc", "/%7euser/%41", "/n%C3%B6te", "/a;b=1,c/(d)'!*$&@:=+~",
        "/a/../b", "/a/./b", "/%2e%2e/a", "//x", "/x//y/", "/x#fragment?y", "/100%25", "/%zz", "/_ha/other", "/[a]|b^c", "/a%20b", "/a%3Fb?c%3Fd",
    ];

    /// <summary>Groups of lines that belong together, by name.</summary>
    public static IReadOnlyDictionary<string, string[]> Headers { get; } = new Dictionary<string, string[]>(StringComparer.Ordinal)
    {
        ["repeated headers"] = ["X-A: 1", "X-B: 2", "X-A: 3, 4", "Accept: a/b", "Accept: c/d;q=0.5", "Cache-Control: no-cache", "Cache-Control: no-store"],
        ["an empty header"] = ["X-Empty:", "Accept-Language:", "X-A: 1"],
        ["a header with blanks"] = ["X-A: \t a  b \t"],
        ["two lines of cookies"] = ["Cookie: a=1; b=2", "Cookie: c=3"],
        ["a value in UTF-8"] = ["X-Name: gr\u00c3\u00bcn"],
        ["a value in Latin-1"] = ["X-Name: gr\u00fcn"],
        ["a long value"] = ["X-Long: " + new string('a', 8000)],
        ["many headers"] = [.. Enumerable.Range(0, 60).Select(i => $"X-Many-{i}: {i}")],
        ["content headers"] = ["Content-Type: text/plain; charset=latin1", "Content-Language: de, fr", "Content-Encoding: gzip", "Expires: 0", "Last-Modified: yesterday", "Allow: GET", "Content-Disposition: inline", "Content-Location: /y", "Content-MD5: AAAA", "Content-Range: bytes 0-3/9"],
        ["conditions"] = ["If-Match: \"a\", \"b\"", "If-None-Match: *", "If-Modified-Since: never", "Range: bytes=0-1", "If-Range: x"],
        ["credentials"] = ["Authorization: Bearer a.b.c", "Origin: http://a", "Referer: http://a/b#c", "User-Agent: x/1 (y; z)", "From: nobody"],
        ["the proxy's credentials"] = ["Proxy-Authorization: Basic x"],
        ["hop-by-hop headers"] = ["Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive"],
        ["close among the options"] = ["Connection: close, X-Hop", "X-Hop: 1"],
        ["trailers are welcome"] = ["TE: trailers"],
        ["codings are welcome"] = ["TE: gzip, trailers;q=0.5"],
        ["an announced trailer"] = ["Trailer: X-Sum"],
        ["an offer of h2c"] = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
        ["an offer of something"] = ["Connection: Upgrade", "Upgrade: something/1"],
        ["the way so far"] = ["Via: 1.0 front", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: front.example", "X-Forwarded-Prefix: /p", "Forwarded: for=1.2.3.4"],
        ["names of the cluster"] = ["X-Base-Not-Executed: 1", "X-Base-Method: GET", "X-Base-Forward: redirect", "X-Base-Other: 1"],
        ["another way to the same"] = ["Alt-Svc: h3=\":443\"", "Alt-Used: a"],
        ["a host with a port"] = ["Host: shop.example:8080"],
        ["a host in capitals"] = ["Host: SHOP.Example"],
        ["an IPv6 host"] = ["Host: [::1]:8080"],
        ["an idempotency key"] = ["Idempotency-Key: \"1\""],
        ["limits of the way"] = ["Max-Forwards: 0", "Early-Data: 1", "Prefer: respond-async"],
        ["another expectation"] = ["Expect: miracles"],
        ["gRPC"] = ["Content-Type: application/grpc", "TE: trailers", "grpc-timeout: 5S"],
    };

    /// <summary>Bodies and the ways to send them, by name.</summary>
    public static IReadOnlyDictionary<string, Func<OracleCase, OracleCase>> Bodies { get; } = new Dictionary<string, Func<OracleCase, OracleCase>>(StringComparer.Ordinal)
    {
        ["no body"] = static one => one,
        ["an empty body"] = static one => one with { Body = "" },
        ["a small body"] = static one => one with { Body = "hello" },
        ["100 KB"] = static one => one with { Body = Replies.Large },
        // Over HTTP/2 nobody knows whether there is a body before its end has come.
        ["an empty body in chunks"] = static one => one with { Body = "", Chunked = true, Fronts = [.. one.Fronts.Except([Front.Http2])] },
        ["a small body in chunks"] = static one => one with { Body = "hello", Chunked = true },
        ["100 KB in chunks"] = static one => one with { Body = Replies.Large, Chunked = true },
        ["a body in halves"] = static one => one with { Body = "one two ", InHalves = true },
        ["100 KB in halves"] = static one => one with { Body = Replies.Large, InHalves = true },
        ["chunks in halves"] = static one => one with { Body = "one two ", InHalves = true, Chunked = true },
        ["a small body that waits"] = static one => one with { Body = "hello", Expects = true },
        ["100 KB that wait"] = static one => one with { Body = Replies.Large, Expects = true },
        ["chunks that wait"] = static one => one with { Body = "hello", Expects = true, Chunked = true },
    };

    private static readonly string[] _texts =
    [
        "POST http://shop.example/n%41?q HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        "POST http://shop.example HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        "POST /n\u00c3\u00b6te HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /x?\u00c3\u00b6 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /x\ty HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /x y HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /x%00y HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST x HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost:\r\n\r\n",
        "POST /x HTTP/1.1\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a b\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: user@a/b\r\n\r\n",
        "POST /x HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi",
        "POST /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
        "GET /x HTTP/1.0\r\n\r\n",
        "POST /x HTTP/2.0\r\nHost: a\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\nhi",
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\nhi",
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nhi",
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nhi\r\n0\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n000\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n  2\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nX A: 1\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nX-A: 1\0\r\n\r\n",
        "POST /x HTTP/1.1\nHost: a\n\n",
        "PO(ST /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "nonsense\r\n\r\n",
        $"POST /{new string('a', 9000)} HTTP/1.1\r\nHost: a\r\n\r\n",
        $"POST /x HTTP/1.1\r\nHost: a\r\nX-Long: {new string('a', 40_000)}\r\n\r\n",
    ];

    private static readonly string[] _webSocket = ["Connection: Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="];

    private static readonly Reply _welcome = new(
        Reply.HeadOf("101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI="), "world")
    {
        Then = Afterwards.Close,
    };

    /// <summary>Each thing once, by itself.</summary>
    public static IReadOnlyList<OracleCase> Named { get; } =
    [
        .. Methods.Select(method => new OracleCase($"method {method}") { Method = method }),
        .. Methods.Select(method => new OracleCase($"method {method} with a body") { Method = method, Body = "hello" }),
        .. Targets.Select(target => new OracleCase($"target {target}") { Target = target }),
        .. Headers.Select(headers => new OracleCase($"request: {headers.Key}") { Headers = headers.Value, Body = "hello" }),
        .. Headers.Select(headers => new OracleCase($"read: {headers.Key}") { Method = "GET", Headers = headers.Value }),
        .. Bodies.Select(body => body.Value(new OracleCase($"upload: {body.Key}"))),
        .. Bodies.Select(body => body.Value(new OracleCase($"upload refused: {body.Key}") { Reply = Refusal })).Where(one => !one.InHalves),
        .. Replies.Any.Select(reply => new OracleCase($"answer: {reply.Key}") { Body = "hello", Reply = reply.Value }),
        .. Replies.Any.Where(reply => !reply.Value.IsUpgrade && !reply.Value.InSteps).Select(reply => new OracleCase($"answer without a question's body: {reply.Key}") { Reply = reply.Value }),
        .. _texts.Select(text => new OracleCase($"as it stands: {(text.Length > 300 ? text[..60] : text).ReplaceLineEndings("\\n")}") { Text = text, Fronts = OracleCase.RawOnly }),
        new("trailers of a request") { Body = "hello", Chunked = true, Trailers = ["X-Sum: 1"], Fronts = OracleCase.RawOnly },
        new("more than this server's limit")
        {
            Text = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n", Reply = Refusal, Fronts = OracleCase.RawOnly,
        },
        new("the head of a body") { Method = "HEAD", Reply = new Reply(Reply.HeadOf("200 OK", "Content-Length: 9")) },
        new("the head of chunks") { Method = "HEAD", Reply = new Reply(Reply.HeadOf("200 OK", "Transfer-Encoding: chunked")) },
        new("the head of nothing") { Method = "HEAD", Reply = new Reply(Reply.HeadOf("200 OK")) },
        new("a WebSocket") { Method = "GET", Headers = _webSocket, Reply = _welcome, Fronts = OracleCase.RawOnly },
        new("a WebSocket that is refused") { Method = "GET", Headers = _webSocket, Reply = Reply.Of("403 Forbidden", "no"), Fronts = OracleCase.RawOnly },
        new("a WebSocket by POST") { Headers = _webSocket, Body = "hello", Fronts = OracleCase.RawOnly },
        new("a WebSocket over HTTP/2") { Method = "CONNECT", Headers = ["Sec-WebSocket-Version: 13"], Reply = _welcome, Fronts = [Front.Http2] },
    ];

    // A server that refuses may leave the body unread; this one reads it afterwards.
    private static Reply Refusal => Reply.Of("413 Content Too Large", "no") with { BeforeBody = true };

    /// <summary>A random combination of parts.</summary>
    public static OracleCase Random(int seed)
    {
        var random = new Random(seed);
        var (body, reply) = (Pick(Bodies), Pick(Replies.Any));
        var method = random.Next(2) == 0 ? "POST" : Methods[random.Next(Methods.Count)];
        var headers = Enumerable.Range(0, random.Next(4)).Select(_ => Pick(Headers)).ToList();
        var one = body.Value(new OracleCase($"seed {seed}: {method}, {body.Key}, {string.Join(", ", headers.Select(group => group.Key))}; {reply.Key}")
        {
            Fronts = [OracleCase.Everywhere[random.Next(OracleCase.Everywhere.Count)]],
            Method = method,
            Target = Targets[random.Next(Targets.Count)],
            Reply = reply.Value,
        });

        // One host and one expectation: with more it is no request that a client means.
        return one with
        {
            Headers = [.. headers.SelectMany(group => group.Value).Distinct(StringComparer.Ordinal)
                .Where(line => !(one.Expects && HeaderLine.Of(line).Is("Expect")))
                .DistinctBy(line => HeaderLine.Of(line).Is("Host") ? "Host" : line, StringComparer.Ordinal)],
            Reply = one.Reply with { BeforeBody = !one.InHalves && random.Next(8) == 0 },
        };

        KeyValuePair<string, TValue> Pick<TValue>(IReadOnlyDictionary<string, TValue> from) => from.ElementAt(random.Next(from.Count));
    }
}
