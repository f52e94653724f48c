using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Ha.Tests.Forwarding;

/// <summary>
/// What clients that break the rules make a follower send to the leader, seen byte by byte: nothing, or one request
/// that every parser reads alike.
/// </summary>
public sealed partial class SmugglingTests(SmugglingTests.Pair pair) : IClassFixture<SmugglingTests.Pair>
{
    private const string Head = "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";

    [Theory]
    [InlineData("Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")]
    [InlineData("Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc")]
    [InlineData("Content-Length: 3, 3\r\n\r\nabc")]
    [InlineData("Content-Length: -1\r\n\r\nabc")]
    [InlineData("Content-Length: 0x3\r\n\r\nabc")]
    [InlineData("Content-Length: 18446744073709551619\r\n\r\nabc")]
    [InlineData("Content-Length : 3\r\n\r\nabc")]
    [InlineData("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n")]
    [InlineData("Transfer-Encoding: identity\r\n\r\n0\r\n\r\n")]
    [InlineData("Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabc")]
    [InlineData("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("X-A: b\0c\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("X A: b\r\nContent-Length: 0\r\n\r\n")]
    [InlineData(": b\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("Host: b\r\nContent-Length: 0\r\n\r\n")]
    public async Task A_head_that_can_be_read_in_two_ways_is_refused_and_the_leader_hears_nothing(string rest)
    {
        var answer = await pair.AskAsync(Head + rest);

        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Single(StatusLine().Matches(answer));
        Assert.Empty(pair.Heard);
    }

    [Theory]
    [InlineData("ZZ\r\nabc\r\n0\r\n\r\n")]
    [InlineData("3\r\nabcdef\r\n0\r\n\r\n")]
    [InlineData("-1\r\n\r\n")]
    [InlineData("3\nabc\n0\n\n")]
    [InlineData("3 \r\nabc\r\n0\r\n\r\n")]
    [InlineData("0x3\r\nabc\r\n0\r\n\r\n")]
    [InlineData("ffffffffffffffff1\r\nabc\r\n0\r\n\r\n")]
    [InlineData("3\r\nab\r\n0\r\n\r\n")]
    public async Task A_body_in_bad_chunks_is_refused_and_never_becomes_a_whole_request(string chunks)
    {
        var answer = await pair.AskAsync(Head + "Transfer-Encoding: chunked\r\n\r\n" + chunks);

        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.All(pair.Heard, heard => Assert.False(WireRequest.Read(heard).Complete, heard));
    }

    [Theory]
    [InlineData("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", "")]
    [InlineData("Transfer-Encoding: chunked\r\nContent-Length: 60\r\n\r\n2\r\nhi\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", "hi")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n2;x=\"GET /smuggled\"\r\nhi\r\n0\r\nX-Trailer: 1\r\n\r\n", "hi")]
    [InlineData("Transfer-Encoding: Chunked\r\n\r\n02\r\nhi\r\n000\r\n\r\n", "hi")]
    [InlineData("Content-Length: +2\r\n\r\nhi", "hi")]
    [InlineData("Content-Length: \t02 \r\n\r\nhi", "hi")]
    [InlineData("Content-Length: 2\r\n\r\nhiGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", "hi")]
    [InlineData("Content-Length: 2\r\nX-A: b\r\nConnection: content-length\r\n\r\nhi", "hi")]
    [InlineData("Content-Length: 33\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nX: y", "0\r\n\r\nGET /smuggled HTTP/1.1\r\nX: y")]
    public async Task What_is_taken_reaches_the_leader_with_one_length_and_nothing_after_it(string rest, string body)
    {
        await pair.AskAsync(Head + rest);

        var heard = WireRequest.Read(Assert.Single(pair.Heard));
        Assert.True(heard.Complete);
        Assert.Equal("POST /x HTTP/1.1", heard.Line);
        Assert.Equal(body, heard.Body);
    }

    [Theory]
    [InlineData("/x\ry", "/x%0Dy")]
    [InlineData("/x?a\r\tb", "/x?a%0D%09b")]
    [InlineData("/x\u0001\u007fy", "/x%01%7Fy")]
    [InlineData("http://a/x\ry", "/x%0Dy")]
    public async Task A_target_reaches_the_leader_without_control_characters(string target, string expected)
    {
        await pair.AskAsync($"POST {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

        Assert.Equal($"POST {expected} HTTP/1.1", WireRequest.Read(Assert.Single(pair.Heard)).Line);
    }

    [Theory]
    [InlineData(":path", "/x HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled")]
    [InlineData(":path", "/x?a\r\nX-Injected: 1")]
    [InlineData(":path", "/x\ny")]
    [InlineData(":path", "*")]
    [InlineData(":path", "http://evil.example/x")]
    [InlineData(":path", "/x\u00e9")]
    [InlineData(":method", "POST /y HTTP/1.1\r\nX: ")]
    [InlineData(":method", "PO ST")]
    [InlineData(":authority", "a\r\nX-Injected: 1")]
    [InlineData(":authority", "a b")]
    [InlineData(":scheme", "http\r\nX-Injected: 1")]
    [InlineData("x-a", "b\r\nX-Injected: 1")]
    [InlineData("x-a", "b\nX-Injected: 1")]
    [InlineData("x-a", "b\0c")]
    [InlineData("cookie", "a=1\r\nX-Injected: 1")]
    [InlineData("content-type", "a/b\r\nX-Injected: 1")]
    [InlineData("x-forwarded-for", "1.2.3.4\r\nX-Injected: 1")]
    [InlineData("connection", "x-a")]
    [InlineData("content-length", "3")]
    public async Task Over_http2_a_field_that_http1_reads_differently_is_refused(string name, string value)
    {
        Assert.NotEqual("answered", await pair.AskHttp2Async(name, value));
        Assert.All(pair.Heard, heard => Assert.False(WireRequest.Read(heard).Complete, heard));
    }

    [Theory]
    [InlineData(":path", "/x y", "POST /x%20y HTTP/1.1")]
    [InlineData(":path", "/x HTTP/1.1", "POST /x%20HTTP/1.1 HTTP/1.1")]
    [InlineData(":path", "/x?a\tb\u007f", "POST /x?a%09b%7F HTTP/1.1")]
    [InlineData("transfer-encoding", "chunked", "POST /x HTTP/1.1")]
    [InlineData("host", "evil.example", "POST /x HTTP/1.1")]
    [InlineData("x-a: b\r\nx-injected", "1", "POST /x HTTP/1.1")]
    [InlineData("x-a:", "1", "POST /x HTTP/1.1")]
    [InlineData("x a", "1", "POST /x HTTP/1.1")]
    public async Task Over_http2_what_is_taken_is_one_plain_request_to_the_leader(string name, string value, string line)
    {
        Assert.Equal("answered", await pair.AskHttp2Async(name, value));

        var heard = WireRequest.Read(Assert.Single(pair.Heard));
        Assert.Equal((true, line, "body", "a"), (heard.Complete, heard.Line, heard.Body, heard.Headers["Host"]));
        Assert.DoesNotContain(heard.Headers.Keys, static key => key.StartsWith('x'));
    }

    [GeneratedRegex("HTTP/1\\.1 [0-9]{3} ", RegexOptions.None, 1000)]
    private static partial Regex StatusLine();

    /// <summary>A leader that only writes down what it hears, and a follower for either protocol.</summary>
    [SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "Disposed by IAsyncLifetime.")]
    public sealed class Pair : IAsyncLifetime
    {
        private readonly List<string> _heard = [];
        private RawLeader _leader = null!;
        private TestNode _http1 = null!;
        private TestNode _http2 = null!;
        private int _run;

        /// <summary>Everything that came over each of the leader's connections since the last question.</summary>
        internal IReadOnlyList<string> Heard
        {
            get
            {
                lock (_heard)
                {
                    return [.. _heard];
                }
            }
        }

        /// <summary>Requests that got through to the application of the HTTP/1.1 follower.</summary>
        internal int RunByFollower => Volatile.Read(ref _run);

        public async Task InitializeAsync()
        {
            _leader = new RawLeader(ListenAsync);
            _http1 = await TestNode.ProxyAsync(_leader.Url, new TestNodeSetup { App = app => app.Run(RunAsync) });
            _http2 = await TestNode.ProxyAsync(_leader.Url, new TestNodeSetup { Protocols = HttpProtocols.Http2 });
        }

        public async Task DisposeAsync()
        {
            await _http1.DisposeAsync();
            await _http2.DisposeAsync();
            await _leader.DisposeAsync();
        }

        internal async Task<string> AskAsync(string request)
        {
            Forget();
            return await RawConnection.AskAsync(_http1.Port, request);
        }

        /// <summary>The same for a request that leaves the connection open; the answer has no body that matters.</summary>
        internal async Task<string> AskOpenAsync(string request)
        {
            Forget();
            using var connection = await RawConnection.ConnectAsync(_http1.Port);
            await connection.SendAsync(request);
            return await connection.ReceiveUntilAsync("\r\n\r\n");
        }

        /// <summary>A sound request in which one field is replaced or added.</summary>
        internal async Task<string> AskHttp2Async(string name, string value)
        {
            Forget();
            using var connection = await RawHttp2Connection.ConnectAsync(_http2.Port);
            (string Name, string Value)[] fields = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/x")];
            var at = Array.FindIndex(fields, field => field.Name == name);
            return await connection.AskAsync(at < 0 ? [.. fields, (name, value)] : [.. fields[..at], (name, value), .. fields[(at + 1)..]], "body");
        }

        private Task RunAsync(HttpContext context)
        {
            Interlocked.Increment(ref _run);
            return Task.CompletedTask;
        }

        private void Forget()
        {
            lock (_heard)
            {
                _heard.Clear();
            }
        }

        private async Task ListenAsync(RawConnection connection, string heard)
        {
            await connection.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            var all = await connection.ReceiveWhileAsync(text => !WireRequest.Read(text).Complete);
            lock (_heard)
            {
                _heard.Add(all);
            }

            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    }
}
