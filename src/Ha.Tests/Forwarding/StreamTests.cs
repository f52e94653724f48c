using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Ha.Tests.Forwarding;

/// <summary>Bodies in flight: large ones, broken ones, those that wait for consent, trailers.</summary>
public sealed class StreamTests
{
    private const long HundredMegabytes = 100L * 1024 * 1024;

    [Fact]
    public async Task A_hundred_megabytes_pass_both_ways_at_flat_memory()
    {
        await using var leader = await TestNode.LeaderAsync(app => app.Run(ReceiveAndSendAsync));
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();
        GC.Collect();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var peak = 0L;

        using var answer = await client.SendAsync(
            new HttpRequestMessage(HttpMethod.Post, follower.Url) { Content = new StreamContent(new Pattern(HundredMegabytes, () => peak = Math.Max(peak, GC.GetTotalMemory(forceFullCollection: false)))) },
            HttpCompletionOption.ResponseHeadersRead);
        var sent = await HashAsync(new Pattern(HundredMegabytes, static () => { }));
        await using var received = await answer.Content.ReadAsStreamAsync();

        Assert.Equal(sent, answer.Header("X-Received"));
        Assert.Equal(sent, await HashAsync(received));

        // Far less than the body; what is there is garbage that nobody has collected yet.
        Assert.True(peak - before < HundredMegabytes / 2, $"{(peak - before) / 1024 / 1024} MiB more at the peak");
    }

    [Fact]
    public async Task Curl_waits_for_the_leaders_100_and_uploads_once()
    {
        var asked = new TaskCompletionSource();
        await using var leader = new RawLeader(async (connection, headers) =>
        {
            Assert.Contains("Expect: 100-continue", headers, StringComparison.Ordinal);
            Assert.EndsWith("\r\n\r\n", headers, StringComparison.Ordinal);
            asked.SetResult();
            await connection.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await connection.ReceiveUntilAsync("hello");
            await connection.SendAsync("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
        });
        await using var follower = await TestNode.ProxyAsync(leader.Url);

        var output = await CurlAsync("-sS", "-v", "-H", "Expect: 100-continue", "--expect100-timeout", "15", "-d", "hello", follower.Url);

        Assert.Contains("< HTTP/1.1 100 Continue", output, StringComparison.Ordinal);
        Assert.Contains("< HTTP/1.1 201 Created", output, StringComparison.Ordinal);
        Assert.True(asked.Task.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Curl_keeps_its_body_when_the_leader_refuses_it()
    {
        await using var leader = new RawLeader((connection, _) =>
            connection.SendAsync("HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        await using var follower = await TestNode.ProxyAsync(leader.Url);

        var output = await CurlAsync(
            "-sS", "-v", "-H", "Expect: 100-continue", "--expect100-timeout", "15", "-d", new string('x', 5000), follower.Url);

        Assert.Contains("< HTTP/1.1 403", output, StringComparison.Ordinal);
        Assert.DoesNotContain("100 Continue", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(5_000_000)]
    public async Task An_answer_that_comes_before_the_body_was_read_passes(int size)
    {
        await using var leader = await TestNode.LeaderAsync(app => app.Run(context =>
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return Task.CompletedTask;
        }));
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url, new ByteArrayContent(new byte[size]));

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    [Fact]
    public async Task Curl_follows_a_redirect_with_its_body()
    {
        await using var leader = await TestNode.LeaderAsync(app => app.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            await context.Response.WriteAsync($"{context.Request.Method} {await reader.ReadToEndAsync()}");
        }));
        await using var follower = await TestNode.StartAsync(new TestNodeSetup());
        follower.Leadership.Follow(leader.Url);

        var output = await CurlAsync("-sS", "-L", "-X", "PUT", "-d", "hello", follower.Url + "/x");

        Assert.EndsWith("PUT hello", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_goes_away_takes_the_request_to_the_leader_with_it()
    {
        var started = new TaskCompletionSource();
        var aborted = new TaskCompletionSource();
        await using var leader = await TestNode.LeaderAsync(app => app.Run(async context =>
        {
            context.RequestAborted.Register(() => aborted.TrySetResult());
            started.SetResult();
            await aborted.Task;
        }));
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var connection = await RawConnection.ConnectAsync(follower.Port);
        await connection.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        await started.Task;

        connection.Reset();

        await aborted.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task A_client_that_goes_away_in_the_middle_of_its_body_breaks_the_body_for_the_leader()
    {
        var failed = new TaskCompletionSource<bool>();
        var started = new TaskCompletionSource();
        await using var leader = await TestNode.LeaderAsync(app => app.Run(async context =>
        {
            try
            {
                started.SetResult();
                await context.Request.Body.CopyToAsync(Stream.Null);
                failed.SetResult(false);
            }
            catch (Exception failure) when (failure is IOException or OperationCanceledException)
            {
                failed.SetResult(true);
            }
        }));
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var connection = await RawConnection.ConnectAsync(follower.Port);
        await connection.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbeginning");
        await started.Task;

        connection.Reset();

        Assert.True(await failed.Task.WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [Theory]
    [InlineData("Content-Length: 1000\r\n\r\npart")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")]
    public async Task A_leader_that_breaks_off_leaves_the_client_with_half_an_answer_it_can_tell(string half)
    {
        var seen = new TaskCompletionSource();
        await using var leader = new RawLeader(async (connection, _) =>
        {
            await connection.SendAsync("HTTP/1.1 200 OK\r\n" + half);
            await seen.Task;
        });
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var connection = await RawConnection.ConnectAsync(follower.Port);
        await connection.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        await connection.ReceiveUntilAsync("part");

        seen.SetResult();
        var answer = await connection.ReceiveAllAsync();

        Assert.DoesNotContain("\r\n0\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("part", answer.TrimEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bad_chunk_is_the_clients_fault()
    {
        await using var leader = await TestNode.LeaderAsync(app => app.Run(context => context.Request.Body.CopyToAsync(Stream.Null)));
        await using var follower = await TestNode.ProxyAsync(leader.Url);

        var answer = await RawConnection.AskAsync(
            follower.Port, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n");

        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Trailers_and_interleaved_streams_pass_over_http2()
    {
        var setup = new TestNodeSetup { Protocols = HttpProtocols.Http2 };
        await using var leader = await TestNode.LeaderAsync(
            app => app.Run(async context =>
            {
                Assert.Equal("trailers", context.Request.Headers.TE.ToString());
                context.Response.ContentType = context.Request.ContentType;
                await context.Response.Body.FlushAsync();
                var buffer = new byte[100];
                for (int read; (read = await context.Request.Body.ReadAsync(buffer)) > 0;)
                {
                    await context.Response.Body.WriteAsync(buffer.AsMemory(0, read));
                    await context.Response.Body.FlushAsync();
                }

                context.Response.AppendTrailer("grpc-status", "0");
                context.Response.AppendTrailer("x-after", "all");
            }),
            setup);
        await using var follower = await TestNode.ProxyAsync(leader.Url, setup);
        using var client = TestNode.Client();
        var upload = new Duplex();

        using var answer = await client.SendAsync(Grpc(follower.Url, upload), HttpCompletionOption.ResponseHeadersRead);
        await using var stream = await answer.Content.ReadAsStreamAsync();
        var buffer = new byte[100];
        foreach (var word in new[] { "one", "two" })
        {
            await upload.WriteAsync(word);
            var read = await stream.ReadAsync(buffer);
            Assert.Equal(word, System.Text.Encoding.UTF8.GetString(buffer, 0, read));
        }

        upload.Complete();
        Assert.Equal(0, await stream.ReadAsync(buffer));
        Assert.Equal("0", answer.TrailingHeaders.GetValues("grpc-status").Single());
        Assert.Equal("all", answer.TrailingHeaders.GetValues("x-after").Single());
    }

    [Fact]
    public async Task A_grpc_call_without_a_leader_gets_unavailable_in_trailers_only()
    {
        await using var follower = await TestNode.StartAsync(new TestNodeSetup
        {
            Protocols = HttpProtocols.Http2,
            Options = o => o.WriteHold = TimeSpan.Zero,
        });
        using var client = TestNode.Client();

        using var answer = await client.SendAsync(Grpc(follower.Url, new ByteArrayContent([0, 0, 0, 0, 0])));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("application/grpc", answer.Content.Headers.ContentType?.ToString());
        Assert.Equal("14", answer.Header("grpc-status"));
        Assert.Equal("no leader", answer.Header("grpc-message"));
        Assert.Empty(await answer.Content.ReadAsByteArrayAsync());
    }

    private static HttpRequestMessage Grpc(string url, HttpContent content)
    {
        content.Headers.ContentType = new("application/grpc");
        var request = new HttpRequestMessage(HttpMethod.Post, url + "/pkg.Service/Call")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        request.Headers.TE.ParseAdd("trailers");
        return request;
    }

    private static async Task ReceiveAndSendAsync(HttpContext context)
    {
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
        context.Response.Headers["X-Received"] = await HashAsync(context.Request.Body);
        await new Pattern(HundredMegabytes, static () => { }).CopyToAsync(context.Response.Body);
    }

    private static async Task<string> HashAsync(Stream stream) =>
        Convert.ToHexString(await SHA256.HashDataAsync(stream));

    private static async Task<string> CurlAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("curl") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using var curl = Process.Start(start)!;
        var output = curl.StandardOutput.ReadToEndAsync();
        var error = curl.StandardError.ReadToEndAsync();
        await curl.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        return await error + await output;
    }

    /// <summary>Bytes that depend on their place, and none of them in memory.</summary>
    private sealed class Pattern(long length, Action onRead) : Stream
    {
        private long _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => length;

        public override long Position
        {
            get => _position;
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            onRead();
            var count = (int)Math.Min(buffer.Length, length - _position);
            for (var i = 0; i < count; i++)
            {
                buffer[i] = (byte)((_position + i) * 31 >> 3);
            }

            _position += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }

    /// <summary>A request body that the test writes while it reads the answer.</summary>
    private sealed class Duplex : HttpContent
    {
        private readonly TaskCompletionSource<Stream> _stream = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async Task WriteAsync(string text)
        {
            var stream = await _stream.Task;
            await stream.WriteAsync(System.Text.Encoding.UTF8.GetBytes(text));
            await stream.FlushAsync();
        }

        public void Complete() => _done.SetResult();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.FlushAsync();
            _stream.SetResult(stream);
            await _done.Task;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
