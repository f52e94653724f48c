using System.Security.Cryptography;
using System.Text.Json;
using Ha.Cli.Cluster;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

[Collection(ProcessTests.Name)]
public class ForwardingTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_follower_redirects_a_write_to_the_leader_byte_for_byte()
    {
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(output);
        const string Target = "/notes?x=%2F%20a&b=c%3D;d=%7e&empty=";
        var redirect = await cluster.SendAsync(cluster.B, "POST", Target, """{"text":"x"}""");

        Assert.Equal(307, redirect.Status);
        Assert.Equal(cluster.A.Url + Target, redirect.Header("Location"));
        Assert.Equal("not leader", redirect.Json.GetProperty("error").GetString());
        Assert.Equal(cluster.A.Url, redirect.Json.GetProperty("leader").GetString());
        var epoch = redirect.Json.GetProperty("epoch").GetInt64();
        Assert.Equal((cluster.A.Url, "b"), (redirect.Header("X-Base-Leader"), redirect.Header("X-Base-Node")));

        var added = await cluster.SendAsync(cluster.A, "POST", Target, """{"text":"x"}""");
        Assert.Equal((201, "a", epoch), (added.Status, added.Json.GetProperty("node").GetString(), added.Json.GetProperty("epoch").GetInt64()));
        Assert.Equal(added.Body, (await cluster.SendAsync(cluster.C, "GET", added.Header("Location")!)).Body);
        Assert.Equal(200, (await cluster.SendAsync(cluster.C, "POST", "/notes/search", """{"text":"x"}""")).Status);
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task A_follower_in_proxy_mode_answers_for_the_leader_and_streams_a_large_body_at_flat_memory()
    {
        await using var cluster = await ExampleCluster.StartWithLeaderAsync(output,
            new ClusterSettings { Interval = ExampleCluster.QuickInterval, Mode = "proxy" });
        var added = await cluster.AddAsync(cluster.B, "through b");
        Assert.Equal((201, "a"), (added.Status, added.Json.GetProperty("node").GetString()));

        const int Megabytes = 1024;
        using var warmUp = await UploadAsync(cluster, 1);
        var before = (Follower: ProcessMemory.PeakMegabytes(cluster.B.Pid), Leader: ProcessMemory.PeakMegabytes(cluster.A.Pid));
        using var answer = await UploadAsync(cluster, Megabytes);
        var after = (Follower: ProcessMemory.PeakMegabytes(cluster.B.Pid), Leader: ProcessMemory.PeakMegabytes(cluster.A.Pid));
        output.WriteLine($"peak memory, MB: follower {before.Follower} → {after.Follower}, leader {before.Leader} → {after.Leader}");

        Assert.Equal(201, (int)answer.StatusCode);
        using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        Assert.Equal(Megabytes << 20, json.RootElement.GetProperty("bytes").GetInt64());
        Assert.Equal(Zeros.Sha256(Megabytes << 20), json.RootElement.GetProperty("sha256").GetString());
        Assert.InRange(after.Follower - before.Follower, 0, Megabytes / 8);
        Assert.InRange(after.Leader - before.Leader, 0, Megabytes / 8);
    }

    [Fact]
    public async Task A_static_leader_serves_its_followers_redirect_and_say_so_honestly_when_it_is_down()
    {
        await using var cluster = await ExampleCluster.StartAsync(output, new ClusterSettings
        {
            Mode = "proxy",
            Environment = urls => new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["BASE_STATIC_LEADER"] = urls[1],
                ["BASE_WRITE_HOLD"] = "500ms",
            },
        });
        var added = await cluster.AddAsync(cluster.A, "through a");
        Assert.Equal((201, "b"), (added.Status, added.Json.GetProperty("node").GetString()));
        Assert.Equal(201, (await cluster.AddAsync(cluster.B, "at b")).Status);

        cluster.B.Kill();
        await cluster.B.WhenDead;
        var start = TimeProvider.System.GetTimestamp();
        var refused = await cluster.AddAsync(cluster.C, "nobody is there");
        output.WriteLine($"{refused.Status} after {TimeProvider.System.GetElapsedTime(start).TotalMilliseconds:0} ms: {refused.Body}");
        Assert.Contains(refused.Status, new[] { 502, 503 });
        Assert.True(refused.Json.TryGetProperty("error", out _));
        Assert.Equal(200, (await cluster.SendAsync(cluster.C, "GET", "/notes")).Status);
    }

    private static async Task<HttpResponseMessage> UploadAsync(ExampleCluster cluster, int megabytes)
    {
        using var content = new StreamContent(new Zeros(megabytes << 20));
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{cluster.B.Url}/uploads") { Content = content };
        request.Headers.TransferEncodingChunked = true;
        return await cluster.Http.SendAsync(request);
    }

    /// <summary>A stream of zeros that keeps nothing.</summary>
    private sealed class Zeros(long length) : Stream
    {
        private long _left = length;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public static string Sha256(long length)
        {
            using var zeros = new Zeros(length);
            return Convert.ToHexStringLower(SHA256.HashData(zeros));
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            var count = (int)Math.Min(buffer.Length, _left);
            buffer[..count].Clear();
            _left -= count;
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
