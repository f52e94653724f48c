using System.Net;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.OnTheWire;

/// <summary>Middleware in front of the forwarding keeps, counts or rewrites answers; it gets all of them.</summary>
public sealed class BufferingFrontTests
{
    private static readonly int[] _sizes = [0, 1, 100, 2000, 4096, 65537, 300_000];

    public static TheoryData<string, Dialect> Ways => Every.Pair(Fronts.All.Keys, Enum.GetValues<Dialect>());

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task What_the_leader_sent_passes_whole(string front, Dialect dialect)
    {
        await using var pair = await WirePair.StartAsync(
            dialect, static connection => (OpenFlow.Instance, new PiecesFlow(seed: connection)), Fronts.All[front]);
        foreach (var size in _sizes)
        {
            foreach (var framing in Enum.GetValues<Framing>())
            {
                var target = AnswerApp.Target(size, framing, Writing.Pieces);
                foreach (var method in new[] { HttpMethod.Post, HttpMethod.Get, HttpMethod.Get })
                {
                    using var answer = await pair.Client.AskAsync(method, target, method == HttpMethod.Post ? [] : null);
                    await AnswerPiecesTests.AssertWholeAsync(answer, size, $"{method} of {size} bytes, {framing}");
                }
            }
        }
    }

    [Theory]
    [InlineData(Framing.Length)]
    [InlineData(Framing.Chunked)]
    public async Task Of_an_answer_that_breaks_while_nothing_has_left_the_client_gets_502_alone(Framing framing)
    {
        var down = new ArmedFlow();
        await using var pair = await WirePair.StartAsync(Dialect.KeepAlive, _ => (OpenFlow.Instance, down), Fronts.All[Fronts.OwnBody]);
        var target = AnswerApp.Target(20, framing, Writing.Pieces);
        using var first = await pair.Client.AskAsync(HttpMethod.Post, target);
        var length = down.Passed;
        for (var at = 0L; at < length; at++)
        {
            down.CutAfter(at, Cut.Finish);
            using var answer = await pair.Client.AskAsync(HttpMethod.Post, target);
            Assert.Equal((HttpStatusCode.BadGateway, "outcome unknown"), (answer.StatusCode, await answer.ErrorAsync()));
        }

        Assert.Equal(1, pair.Client.Connections);
    }

    [Theory]
    [InlineData(Fronts.ResponseCaching)]
    [InlineData(Fronts.OutputCache)]
    public async Task A_cache_keeps_no_half_of_an_answer(string front)
    {
        var down = new ArmedFlow();
        await using var pair = await WirePair.StartAsync(Dialect.KeepAlive, _ => (OpenFlow.Instance, down), Fronts.All[front]);
        foreach (var framing in Enum.GetValues<Framing>())
        {
            var target = AnswerApp.Target(65536, framing, Writing.Pieces);
            down.CutAfter(30_000, Cut.Finish);
            await Assert.ThrowsAsync<HttpRequestException>(() => pair.Client.AskAsync(HttpMethod.Get, target));
            using var answer = await pair.Client.AskAsync(HttpMethod.Get, target);
            await AnswerPiecesTests.AssertWholeAsync(answer, 65536, $"after half an answer, {framing}");
        }
    }

    [Theory]
    [InlineData(Fronts.ResponseCaching)]
    [InlineData(Fronts.OutputCache)]
    public async Task A_client_that_leaves_puts_no_half_of_an_answer_into_a_cache(string front)
    {
        await using var pair = await WirePair.StartAsync(
            Dialect.KeepAlive, static _ => (OpenFlow.Instance, OpenFlow.Instance), Fronts.All[front]);
        var target = $"/steps/{Framing.Chunked}";
        using (var left = await pair.Client.BeginAsync(HttpMethod.Get, target))
        {
            Assert.Equal(1, await (await left.Content.ReadAsStreamAsync()).ReadAsync(new byte[2]));
        }

        await Eventually.True(() => pair.App.Abandoned == 1);
        using var answer = await pair.Client.BeginAsync(HttpMethod.Get, target);
        await using var body = await answer.Content.ReadAsStreamAsync();
        Assert.Equal(1, await body.ReadAsync(new byte[2]));
        pair.App.FirstPieceSeen.TrySetResult();
        Assert.Equal(1, await body.ReadAsync(new byte[2]));
    }

    [Theory]
    [InlineData(Fronts.ResponseCaching)]
    [InlineData(Fronts.OutputCache)]
    public async Task A_refusal_after_the_first_byte_puts_no_half_of_an_answer_into_a_cache(string front)
    {
        var asked = 0;
        await using var node = await TestNode.LeaderAsync(
            app => app.MapGet("/", async context =>
            {
                context.Response.Headers.CacheControl = "public, max-age=60";
                await context.Response.WriteAsync("one");
                if (Interlocked.Increment(ref asked) == 1)
                {
                    throw new NotLeaderException();
                }

                await context.Response.WriteAsync("two");
            }).RequireLeader(),
            new TestNodeSetup { AfterRouting = true, Builder = builder => Fronts.All[front].AddTo(builder.Services) });
        using var client = new WireClient(Dialect.KeepAlive, node.Url);

        await Assert.ThrowsAsync<HttpRequestException>(() => client.AskAsync(HttpMethod.Get, "/"));
        using var answer = await client.AskAsync(HttpMethod.Get, "/");
        Assert.Equal("onetwo", await answer.Content.ReadAsStringAsync());
    }
}
