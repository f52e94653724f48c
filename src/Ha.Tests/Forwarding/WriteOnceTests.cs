using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace Ha.Tests.Forwarding;

/// <summary>What may have been executed is never sent a second time, counted at a socket.</summary>
public sealed class WriteOnceTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("small")]
    [InlineData("large")]
    public async Task A_write_whose_connection_closes_unanswered_is_executed_once_and_answered_502(string? body)
    {
        await using var leader = new RawLeader((_, _) => Task.CompletedTask);
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();

        using var answer = await client.PostAsync(follower.Url + "/notes", Body(body));

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Null(answer.Headers.RetryAfter);
        Assert.Equal("outcome unknown", (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").GetString());
        Assert.Equal(1, leader.Requests);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("small")]
    [InlineData("large")]
    public async Task A_write_on_a_reused_connection_that_closes_is_executed_once(string? body)
    {
        // The first request is answered and the connection kept; the second one is read and dropped, wherever it comes.
        var executions = 0;
        await using var leader = new RawLeader(async (connection, request) =>
        {
            if (request.Contains("/first", StringComparison.Ordinal))
            {
                await connection.SendAsync("HTTP/1.1 204 No Content\r\n\r\n");
                await connection.ReceiveUntilAsync("/second");
            }

            Interlocked.Increment(ref executions);
        });
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();
        using var first = await client.PostAsync(follower.Url + "/first", content: null);
        Assert.Equal(HttpStatusCode.NoContent, first.StatusCode);

        using var second = await client.PostAsync(follower.Url + "/second", Body(body));

        Assert.Equal(HttpStatusCode.BadGateway, second.StatusCode);
        Assert.Equal(1, executions);
    }

    [Fact]
    public async Task A_delete_without_a_body_is_executed_once_too()
    {
        await using var leader = new RawLeader((_, _) => Task.CompletedTask);
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        using var client = TestNode.Client();

        using var answer = await client.DeleteAsync(follower.Url + "/notes/1");

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal(1, leader.Requests);
    }

    private static ByteArrayContent? Body(string? kind) => kind switch
    {
        null => null,
        "small" => new ByteArrayContent(Encoding.UTF8.GetBytes("{}")),
        _ => new ByteArrayContent(new byte[200_000]),
    };
}
