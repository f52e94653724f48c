using System.IO.Compression;
using System.Text;
using System.Threading.Channels;
using Ha.Client;
using Ha.Client.Routing;
using Microsoft.Extensions.DependencyInjection;
using static Ha.Tests.Client.ScriptedCluster;

namespace Ha.Tests.Client;

/// <summary>A node may be killed between the headers of its answer and the end of it.</summary>
public class BrokenAnswerTests
{
    private const string Whole = """{"id":1}""";

    [Theory]
    [InlineData("Content-Length: 8\r\n\r\n{\"id\"")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n")]
    [InlineData("Content-Length: 65536\r\n\r\n")]
    public async Task Is_asked_for_again(string begin)
    {
        await using var server = new RawServer(async (number, _, stream) =>
        {
            await stream.WriteAsync(Bytes($"HTTP/1.1 200 OK\r\n{(number % 2 == 1 ? begin : $"Content-Length: 8\r\n\r\n{Whole}")}"));
            return number % 2 == 0;
        });
        await using var services = Services(server.Url);
        using var read = await Client(services).GetAsync("/notes");
        Assert.Equal(Whole, await read.Content.ReadAsStringAsync());
        Assert.Equal(2, server.Requests);

        using var written = await Client(services).SendAsync(Write("one"), HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(Whole, await written.Content.ReadAsStringAsync());
        Assert.Equal(4, server.Requests);
    }

    [Theory]
    [InlineData(null, "application/json", 8, 1)]
    [InlineData("one", "text/event-stream", 8, 1)]
    [InlineData("one", "application/grpc+proto", 8, 1)]
    [InlineData("one", "application/json", (64 * 1024) + 1, 1)]
    [InlineData("one", "application/json", 8, 2)]
    public async Task Is_the_callers_where_it_may_not_be_repeated_or_is_long_or_a_stream_or_breaks_off_again(string? key, string type, int length, int requests)
    {
        await using var server = new RawServer(async (_, _, stream) =>
        {
            await stream.WriteAsync(Bytes($"HTTP/1.1 200 OK\r\nContent-Type: {type}\r\nContent-Length: {length}\r\n\r\n{{"));
            return false;
        });
        await using var services = Services(server.Url);
        using var answer = await Client(services).SendAsync(Write(key), HttpCompletionOption.ResponseHeadersRead);
        await Assert.ThrowsAsync<HttpRequestException>(() => answer.Content.ReadAsByteArrayAsync());
        Assert.Equal(requests, server.Requests);
    }

    [Fact]
    public async Task Of_a_write_whose_body_was_not_kept_is_the_callers()
    {
        await using var server = new RawServer(async (_, head, stream) =>
        {
            if (head.StartsWith("GET /_ha/leader", StringComparison.Ordinal))
            {
                return await RawServer.OkAsync(stream);
            }

            await stream.WriteAsync(Bytes("HTTP/1.1 100 Continue\r\n\r\n"));
            await stream.ReadExactlyAsync(new byte[1]);
            await stream.WriteAsync(Bytes("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"));
            return false;
        });
        await using var services = Services(server.Url, o => o.MaxBufferedBodyBytes = 0);
        using var write = Write("one");
        write.Content = new StreamContent(new MemoryStream([1]));
        using var answer = await Client(services).SendAsync(write, HttpCompletionOption.ResponseHeadersRead);
        await Assert.ThrowsAsync<HttpRequestException>(() => answer.Content.ReadAsByteArrayAsync());
    }

    /// <summary>That of a write may be that it was executed, so a later pass of the same message may repeat it under its key alone.</summary>
    [Fact]
    public async Task Leaves_the_outcome_unknown_when_the_caller_gives_up()
    {
        using var cluster = new ScriptedCluster();
        using var stop = new CancellationTokenSource();
        using var handed = new Handed();
        cluster.Everywhere(_ => new HttpResponseMessage { Content = new StreamContent(handed) });
        using var write = Write("one");
        write.RequestUri = new Uri($"{A}/notes");
        var call = cluster.Client.SendAsync(write, stop.Token);
        await handed.ReadBegunAsync();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        Assert.True(CallHistory.Of(write).MayHaveRun);
    }

    [Fact]
    public async Task Stream_is_given_back_as_it_comes_after_a_tenth_of_a_second()
    {
        using var cluster = new ScriptedCluster();
        using var handed = new Handed();
        cluster.Everywhere(_ => new HttpResponseMessage { Content = new StreamContent(handed) { Headers = { { "Content-Type", "application/x-ndjson" } } } });
        using var request = new HttpRequestMessage(HttpMethod.Get, "/notes");
        var call = cluster.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await handed.ReadBegunAsync();
        handed.Give("one");
        await handed.ReadBegunAsync();
        cluster.Time.Advance(TimeSpan.FromMilliseconds(99));
        Assert.False(call.IsCompleted);
        cluster.Time.Advance(TimeSpan.FromMilliseconds(1));
        using var answer = await call;
        Assert.Equal("application/x-ndjson", answer.Content.Headers.ContentType?.MediaType);

        await using var stream = await answer.Content.ReadAsStreamAsync();
        Assert.Equal("one", await NextAsync(stream));
        using var impatient = new CancellationTokenSource();
        var next = stream.ReadAsync(new byte[100], impatient.Token).AsTask();
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next);

        // Nothing is lost with a read that its reader gave up.
        handed.Give("two");
        Assert.Equal("two", await NextAsync(stream));
        handed.Give("three");
        Assert.Equal("three", await NextAsync(stream));
        handed.End();
        Assert.Equal("", await NextAsync(stream));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64 * 1024)]
    [InlineData((64 * 1024) + 1)]
    [InlineData(300_000)]
    public async Task Long_or_short_is_whole(int length)
    {
        var body = new byte[length];
        new Random(1).NextBytes(body);
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(_ => new HttpResponseMessage { Content = new StreamContent(new Unseekable(body)) });
        Assert.Equal(body, await cluster.Client.GetByteArrayAsync("/notes"));

        using var copied = new MemoryStream();
        using var answer = await cluster.Client.GetAsync("/notes", HttpCompletionOption.ResponseHeadersRead);
        answer.Content.CopyTo(copied, context: null, CancellationToken.None);
        Assert.Equal(body, copied.ToArray());

        using var read = new MemoryStream();
        using var again = await cluster.Client.GetAsync("/notes", HttpCompletionOption.ResponseHeadersRead);
        again.Content.ReadAsStream().CopyTo(read);
        Assert.Equal(body, read.ToArray());

        // What is not kept is not read as nothing.
        using var once = await cluster.Client.GetAsync("/notes", HttpCompletionOption.ResponseHeadersRead);
        await once.Content.CopyToAsync(Stream.Null);
        if (length > 64 * 1024)
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => once.Content.ReadAsByteArrayAsync());
        }
        else
        {
            Assert.Equal(body, await once.Content.ReadAsByteArrayAsync());
        }
    }

    [Fact]
    public async Task Read_under_way_ends_before_its_stream()
    {
        using var cluster = new ScriptedCluster();
        using var handed = new Handed();
        cluster.Everywhere(_ => new HttpResponseMessage { Content = new StreamContent(handed) });
        var call = cluster.Client.GetAsync("/notes", HttpCompletionOption.ResponseHeadersRead);
        await handed.ReadBegunAsync();
        cluster.Time.Advance(TimeSpan.FromMilliseconds(100));
        (await call).Dispose();
        await handed.Disposed;
        Assert.Equal(["canceled", "disposed"], handed.Ends);
    }

    /// <summary>Or what was read too late would be missing in the next answer, to somebody else.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Connection_of_an_answer_that_is_let_go_of_is_not_used_again(bool chunked)
    {
        var letGo = new TaskCompletionSource();
        await using var server = new RawServer(async (number, _, stream) =>
        {
            if (number > 1)
            {
                await stream.WriteAsync(Bytes($"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{Whole}"));
                return true;
            }

            await stream.WriteAsync(Bytes($"HTTP/1.1 200 OK\r\n{(chunked ? "Transfer-Encoding: chunked\r\n\r\n4\r\n" : "Content-Length: 8\r\n\r\n")}slow"));
            await letGo.Task;
            await stream.WriteAsync(Bytes(chunked ? "\r\n4\r\npart\r\n0\r\n\r\n" : "part"));
            return true;
        });
        await using var services = Services(server.Url);
        (await Client(services).GetAsync("/slow", HttpCompletionOption.ResponseHeadersRead)).Dispose();
        letGo.SetResult();
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(Whole, await Client(services).GetStringAsync("/notes"));
        }

        Assert.Equal(2, server.Connections);
    }

    [Fact]
    public async Task Wait_is_no_longer_than_the_attempt_has_time_and_gives_no_answer_up()
    {
        using var cluster = new ScriptedCluster(o => o.AttemptTimeout = TimeSpan.FromSeconds(3));
        using var handed = new Handed();
        cluster.Everywhere(_ =>
        {
            cluster.Time.Advance(TimeSpan.FromSeconds(2.95));
            return new HttpResponseMessage { Content = new StreamContent(handed) };
        });
        var call = cluster.Client.GetAsync("/notes", HttpCompletionOption.ResponseHeadersRead);
        await handed.ReadBegunAsync();
        cluster.Time.Advance(TimeSpan.FromMilliseconds(50));
        using var answer = await call;
        cluster.Time.Advance(TimeSpan.FromMinutes(1));
        handed.Give("one");
        await using var stream = await answer.Content.ReadAsStreamAsync();
        Assert.Equal("one", await NextAsync(stream));
        Assert.Single(cluster.Log);
    }

    [Fact]
    public async Task What_else_a_body_fails_of_is_the_callers_to_see()
    {
        using var cluster = new ScriptedCluster();
        cluster.Everywhere(_ => new HttpResponseMessage { Content = new StreamContent(new GZipStream(new MemoryStream([1, 2, 3]), CompressionMode.Decompress)) });
        using var answer = await cluster.Client.SendAsync(Write("one"), HttpCompletionOption.ResponseHeadersRead);
        await Assert.ThrowsAsync<InvalidDataException>(() => answer.Content.ReadAsByteArrayAsync());
        Assert.Single(cluster.Log);
    }

    [Theory]
    [InlineData("HEAD", "200 OK", null)]
    [InlineData("HEAD", "200 OK", 5L)]
    [InlineData("GET", "304 Not Modified", null)]
    public async Task Answer_without_a_body_says_what_it_said(string method, string status, long? length)
    {
        await using var server = new RawServer(async (_, _, stream) =>
        {
            await stream.WriteAsync(Bytes($"HTTP/1.1 {status}\r\n{(length is null ? "" : $"Content-Length: {length}\r\n")}\r\n"));
            return true;
        });
        await using var services = Services(server.Url);
        using var request = new HttpRequestMessage(new HttpMethod(method), "/notes");
        using var answer = await Client(services).SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(length, answer.Content.Headers.ContentLength);
    }

    [Fact]
    public async Task Protocol_that_takes_the_place_of_HTTP_keeps_its_stream()
    {
        await using var server = new RawServer(async (_, _, stream) =>
        {
            await stream.WriteAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"u8.ToArray());
            var echoed = new byte[4];
            await stream.ReadExactlyAsync(echoed);
            await stream.WriteAsync(echoed);
            return false;
        });
        await using var services = Services(server.Url);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/echo") { Headers = { { "Connection", "Upgrade" }, { "Upgrade", "echo" } } };
        using var answer = await Client(services).SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await using var stream = await answer.Content.ReadAsStreamAsync();
        await stream.WriteAsync(Bytes("ping"));
        Assert.Equal("ping", await NextAsync(stream));
    }

    private static async Task<string> NextAsync(Stream stream)
    {
        var buffer = new byte[100];
        return Encoding.UTF8.GetString(buffer, 0, await stream.ReadAsync(buffer));
    }

    private static HttpRequestMessage Write(string? key)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/notes");
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        return request;
    }

    private static ServiceProvider Services(string url, Action<LeaderRoutingOptions>? configure = null)
    {
        var services = new ServiceCollection();
        services.AddHttpClient("api").AddLeaderRouting(options =>
        {
            options.Nodes = [url];
            configure?.Invoke(options);
        });
        return services.BuildServiceProvider();
    }

    private static HttpClient Client(ServiceProvider services) => services.GetRequiredService<IHttpClientFactory>().CreateClient("api");

    private static byte[] Bytes(string text) => Encoding.ASCII.GetBytes(text);

    /// <summary>What a test gives it, piece by piece.</summary>
    private sealed class Handed : MemoryStream
    {
        private readonly Channel<string> _pieces = Channel.CreateUnbounded<string>();
        private readonly SemaphoreSlim _reads = new(0);
        private readonly TaskCompletionSource _disposed = new();

        public override bool CanSeek => false;

        /// <summary>In order: of the reads that were under way, and of the stream.</summary>
        public List<string> Ends { get; } = [];

        public Task Disposed => _disposed.Task;

        public void Give(string piece) => _pieces.Writer.TryWrite(piece);

        public void End() => _pieces.Writer.Complete();

        public Task ReadBegunAsync() => _reads.WaitAsync();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var given = _pieces.Reader.WaitToReadAsync(cancellationToken);
            await using var end = cancellationToken.Register(() => Ends.Add("canceled"));
            _reads.Release();
            return await given && _pieces.Reader.TryRead(out var piece)
                ? Encoding.UTF8.GetBytes(piece, buffer.Span)
                : 0;
        }

        protected override void Dispose(bool disposing)
        {
            if (!_disposed.Task.IsCompleted)
            {
                Ends.Add("disposed");
                _disposed.SetResult();
            }

            _reads.Dispose();
            base.Dispose(disposing);
        }
    }

    private sealed class Unseekable(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
