using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text;
using Ha.Cli.Cluster;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

[Collection(ProcessTests.Name)]
public class HeartbeatTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Heartbeats_that_are_not_a_members_own_change_nothing()
    {
        await using var eavesdropper = await Eavesdropper.StartAsync();
        await using var cluster = await ExampleCluster.StartAsync(output, new ClusterSettings
        {
            Nodes = 2,
            Interval = ExampleCluster.QuickInterval,
            // The third member is ours: it hears what the others send and never answers well.
            Environment = urls => new Dictionary<string, string?>(StringComparer.Ordinal) { ["BASE_PEERS"] = $"{urls[0]},{urls[1]},{eavesdropper.Url}" },
        });
        var before = await cluster.WaitForLeaderAsync();
        var (body, headers) = await eavesdropper.HearAsync(cluster.A);

        var unsigned = await PostAsync(cluster, body, "application/json");
        Assert.Equal(401, (int)unsigned.StatusCode);
        Assert.NotEmpty(unsigned.Headers.WwwAuthenticate);
        Assert.Equal(401, (int)(await PostAsync(cluster, [.. body[..^1], (byte)' ', body[^1]], "application/json", headers)).StatusCode);
        Assert.Equal(409, (int)(await PostAsync(cluster, body, "application/json", headers)).StatusCode);
        Assert.Equal(413, (int)(await PostAsync(cluster, new byte[17 * 1024], "application/json", headers)).StatusCode);
        Assert.Equal(415, (int)(await PostAsync(cluster, body, "text/plain", headers)).StatusCode);
        var get = await cluster.SendAsync(cluster.B, "GET", "/_ha/heartbeat");
        Assert.Equal((405, "POST"), (get.Status, string.Join(',', get.ContentHeaders.Allow)));

        Assert.Equal(before, await cluster.WaitForLeaderAsync());
        Assert.Equal(200, (await cluster.SendAsync(cluster.B, "GET", "/_ha/healthz")).Status);
    }

    private static async Task<HttpResponseMessage> PostAsync(
        ExampleCluster cluster, byte[] body, string type, IReadOnlyDictionary<string, string>? headers = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{cluster.B.Url}/_ha/heartbeat") { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(type);
        foreach (var (name, value) in headers ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value) || request.Content.Headers.TryAddWithoutValidation(name, value));
        }

        return await cluster.Http.SendAsync(request);
    }

    /// <summary>A member's URL that keeps the last heartbeat of each sender.</summary>
    private sealed class Eavesdropper : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly ConcurrentQueue<Heard> _heard = new();

        private Eavesdropper(WebApplication app) => _app = app;

        public string Url => _app.Urls.First();

        public static async Task<Eavesdropper> StartAsync()
        {
            var builder = WebApplication.CreateBuilder();
            builder.Logging.ClearProviders();
            var app = builder.Build();
            app.Urls.Add("http://127.0.0.1:0");
            var self = new Eavesdropper(app);
            app.MapPost("/_ha/heartbeat", async (HttpContext http) =>
            {
                using var body = new MemoryStream();
                await http.Request.Body.CopyToAsync(body);
                var headers = http.Request.Headers
                    .Where(h => h.Key.StartsWith("Signature", StringComparison.OrdinalIgnoreCase) || string.Equals(h.Key, "Content-Digest", StringComparison.OrdinalIgnoreCase))
                    .ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.Ordinal);
                self._heard.Enqueue(new Heard(body.ToArray(), headers));
                return Results.StatusCode(500);
            });
            await app.StartAsync();
            return self;
        }

        public Task<Heard> HearAsync(NodeProcess sender) =>
            Eventually.NotNull(() => Task.FromResult(_heard.FirstOrDefault(h => h.IsFrom(sender))), what: $"a heartbeat from {sender.Id}");

        public async ValueTask DisposeAsync() => await _app.DisposeAsync();
    }

    private sealed record Heard(byte[] Body, Dictionary<string, string> Headers)
    {
        // Both are members and each names the other; only the sender names itself by its own id.
        public bool IsFrom(NodeProcess sender) => Encoding.UTF8.GetString(Body).Contains($"\"id\":\"{sender.Id}\"", StringComparison.Ordinal);
    }
}
