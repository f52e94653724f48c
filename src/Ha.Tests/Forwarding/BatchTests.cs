using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Forwarding;

/// <summary>An endpoint that executes several writes and answers for each of them.</summary>
public sealed class BatchTests
{
    private int _runs;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_was_executed_is_confirmed_and_what_came_after_the_lease_is_told_who_leads(bool throughFollower)
    {
        TestNode? self = null;
        await using var leader = self = await TestNode.LeaderAsync(app => app.MapPost("/batch", (HttpContext context) =>
        {
            Interlocked.Increment(ref _runs);
            return Batch(context, ["one", "two", "three"], text =>
            {
                if (text == "two")
                {
                    self!.Leadership.Follow("http://inside", epoch: 2, publicUrl: "https://next", leaderId: "next");
                }
            });
        }).AnswersPerItem(), new TestNodeSetup { AfterRouting = true });
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();

        using var answer = await client.PostAsync((throughFollower ? follower.Url : leader.Url) + "/batch", content: null);

        Assert.Equal(HttpStatusCode.MultiStatus, answer.StatusCode);
        Assert.Null(answer.Header("Location"));
        Assert.Null(answer.Header("X-Base-Not-Executed"));
        var items = (await answer.JsonAsync()).EnumerateArray().ToArray();
        Assert.Equal("one", items[0].GetString());
        foreach (var refused in items[1..])
        {
            Assert.Equal(503, refused.GetProperty("status").GetInt32());
            Assert.Equal("not leader", refused.GetProperty("error").GetString());
            Assert.Equal("https://next", refused.GetProperty("leader").GetString());
            Assert.Equal(2, refused.GetProperty("epoch").GetInt64());
        }

        Assert.Equal(1, _runs);
        Assert.Equal(0, leader.Gate.Inside);
    }

    [Fact]
    public async Task Of_which_nothing_was_executed_goes_on_to_the_next_leader_as_a_whole()
    {
        await using var next = await TestNode.LeaderAsync(app => app.MapPost("/batch", (HttpContext context) => Batch(context, ["one"], static _ => { })));
        TestNode? self = null;
        await using var leader = self = await TestNode.LeaderAsync(app => app.MapPost("/batch", (HttpContext context) =>
            Batch(context, ["one"], _ => self!.Leadership.Follow(next.Url, epoch: 2, leaderId: "next"))));
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(leader.Url + "/batch", content: null);

        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
        Assert.Equal(next.Url + "/batch", answer.Header("Location"));
    }

    // As docs/forwarding.md shows it.
    private static IResult Batch(HttpContext context, string[] items, Action<string> beforeCommit)
    {
        var ha = context.Features.Get<IHaFeature>()!;
        var answers = new List<object>();
        foreach (var item in items)
        {
            try
            {
                beforeCommit(item);
                ha.EnsureStillLeader();
                answers.Add(item);
            }
            catch (NotLeaderException lost) when (answers.Count > 0)
            {
                answers.Add(lost.ToProblemDetails());
            }
        }

        return Results.Json(answers, statusCode: StatusCodes.Status207MultiStatus);
    }
}
