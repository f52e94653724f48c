using System.Net;
using Ha.Endpoints;
using Ha.Hosting;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Hosting;

/// <summary>What is wrong with a node's own URL is tried on real processes too, by <c>SetupErrorTests</c>.</summary>
public class OwnAddressTests
{
    [Fact]
    public async Task A_node_that_reaches_itself_several_times_says_nothing()
    {
        using var logs = new RecordedLogs();
        await using var cluster = new KestrelCluster(["a"], build: builder => builder.Services.AddSingleton<ILoggerFactory>(logs));
        await cluster.StartAsync();
        var own = cluster.Nodes[0].App.Services.GetRequiredService<OwnAddress>();
        await Eventually.True(() => own.Arrivals == 3);
        await cluster.Nodes[0].StopAsync();
        Assert.DoesNotContain(logs.Entries, entry => entry.Id is >= 1424 and <= 1426 or 1429);
    }

    [Fact]
    public async Task A_look_of_somebody_else_is_an_ordinary_request()
    {
        await using var cluster = new KestrelCluster(["a"]);
        await cluster.StartAsync();
        var node = cluster.Nodes[0];
        var own = node.App.Services.GetRequiredService<OwnAddress>();
        await Eventually.True(() => own.Arrivals == 3);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/_ha/healthz") { Headers = { { HaHeaders.Probe, "guess" } } };
        using var answer = await node.Client.SendAsync(request);
        Assert.Equal("ok\n", await answer.Content.ReadAsStringAsync());
        Assert.Equal(3, own.Arrivals);
    }

    [Theory]
    [InlineData("home home home")]
    [InlineData("b home home home")]
    [InlineData("b b home home home")]
    [InlineData("refused home home home")]
    [InlineData("b unknown home home unknown home")]
    public async Task A_node_that_is_reached_in_the_end_says_nothing(string answers) => Assert.Empty((await LookAsync(answers)).Said);

    [Theory]
    [InlineData("b b b", "leads to node b instead of this node, in 3 of 3 calls.")]
    [InlineData("b home b home b home", "leads to node b instead of this node, in 3 of 6 calls.")]
    [InlineData("b home c home b c", "leads to node b and node c instead of this node, in 4 of 6 calls.")]
    [InlineData("404 404 404", "leads to something else (status 404) instead of this node, in 3 of 3 calls.")]
    public async Task A_url_that_leads_elsewhere_time_and_again_is_named(string answers, string expected)
    {
        var (level, id, text) = Assert.Single((await LookAsync(answers)).Said);
        Assert.Equal((LogLevel.Error, 1425), (level, id));
        Assert.Contains(expected, text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("refused refused refused", 1.0)]
    [InlineData("b refused refused refused", 1.5)]
    public async Task A_url_that_nobody_listens_on_is_named_soon(string answers, double seconds)
    {
        var (said, waited) = await LookAsync(answers);
        Assert.Equal(1424, Assert.Single(said).Id);
        Assert.Equal(seconds, waited.Sum(wait => wait.TotalSeconds));
    }

    [Fact]
    public async Task A_name_that_becomes_known_later_is_waited_for()
    {
        var (said, waited) = await LookAsync("unknown unknown unknown unknown unknown unknown home home home");
        Assert.Empty(said);
        Assert.Equal([0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 0.5, 0.5], waited.Select(wait => wait.TotalSeconds));
    }

    [Fact]
    public async Task A_name_that_stays_unknown_is_named_after_a_minute()
    {
        var (said, waited) = await LookAsync(string.Join(' ', Enumerable.Repeat("unknown", 18)));
        Assert.Equal(1424, Assert.Single(said).Id);
        Assert.InRange(waited.Sum(wait => wait.TotalSeconds), 60, 65);
    }

    /// <param name="answers">What comes of each call, all of which must happen and no more.</param>
    private static async Task<(IReadOnlyList<(LogLevel Level, int Id, string Text)> Said, IReadOnlyCollection<TimeSpan> Waited)> LookAsync(string answers)
    {
        using var logs = new RecordedLogs();
        var clock = new InstantClock();
        var own = new OwnAddress();
        using var scripted = new Scripted(own, answers.Split(' '));
        await new OwnAddressCheck("http://a:1", own, scripted, clock, logs).RunAsync(["http://[::]:1"], CancellationToken.None);
        Assert.Empty(scripted.Left);
        return (logs.Entries, clock.Waits);
    }

    private sealed class Scripted(OwnAddress own, string[] answers) : HttpMessageHandler
    {
        public Queue<string> Left { get; } = new(answers);

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.Version == HttpVersion.Version20)
            {
                throw new HttpRequestException(HttpRequestError.VersionNegotiationError);
            }

            var answer = new HttpResponseMessage();
            switch (Left.Dequeue())
            {
                case "home":
                    var arrived = new DefaultHttpContext().Request;
                    arrived.Headers[HaHeaders.Probe] = string.Join(',', request.Headers.GetValues(HaHeaders.Probe));
                    Assert.True(own.Recognises(arrived));
                    break;
                case "unknown":
                    throw new HttpRequestException(HttpRequestError.NameResolutionError);
                case "refused":
                    throw new HttpRequestException(HttpRequestError.ConnectionError);
                case "404":
                    answer.StatusCode = HttpStatusCode.NotFound;
                    break;
                case var node:
                    answer.Headers.Add(HaHeaders.Node, node);
                    break;
            }

            return Task.FromResult(answer);
        }
    }
}
