using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;

namespace Ha.Tests.Forwarding;

/// <summary>A key protects a write only when it is exactly one, and not blank.</summary>
public sealed class IdempotencyKeyTests
{
    [Theory]
    [InlineData("Idempotency-Key: \"8e03978e-40d5\"\r\n", 2)]
    [InlineData("Idempotency-Key: 8e03978e-40d5\r\n", 2)]
    [InlineData("Idempotency-Key: \"a, \\\" b\"\r\n", 2)]
    [InlineData("", 1)]
    [InlineData("Idempotency-Key:\r\n", 1)]
    [InlineData("Idempotency-Key:  \r\n", 1)]
    [InlineData("Idempotency-Key: \"\"\r\n", 1)]
    [InlineData("Idempotency-Key: \" \"\r\n", 1)]
    [InlineData("Idempotency-Key: \"a\r\n", 1)]
    [InlineData("Idempotency-Key: \"\r\n", 1)]
    [InlineData("Idempotency-Key: \"a\\\r\n", 1)]
    [InlineData("Idempotency-Key: a\r\nIdempotency-Key: a\r\n", 1)]
    [InlineData("Idempotency-Key: a\r\nIdempotency-Key:\r\n", 1)]
    [InlineData("Idempotency-Key: a, b\r\n", 1)]
    [InlineData("Idempotency-Key: \"a\", \"b\"\r\n", 1)]
    public async Task A_write_whose_outcome_is_unknown_is_sent_again_under_one_usable_key_only(string header, int sent)
    {
        await using var dying = new RawLeader(static (_, _) => Task.CompletedTask);
        await using var next = await TestNode.LeaderAsync(app => app.MapPost("/", () => "once"));
        await using var follower = await TestNode.ProxyAsync(dying.Url, new TestNodeSetup
        {
            AfterRouting = true,
            App = app => app.MapPost("/", () => "here").HonorsIdempotencyKey(),
        });
        using var connection = await RawConnection.ConnectAsync(follower.Port);

        await connection.SendAsync($"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}Content-Length: 2\r\n\r\nhi");
        if (sent > 1)
        {
            await Eventually.True(() => follower.Hold.Held == 1);
            follower.Leadership.Follow(next.Url, epoch: 2);
        }

        var answer = await connection.ReceiveAllAsync();
        Assert.StartsWith(sent > 1 ? "HTTP/1.1 200" : "HTTP/1.1 502", answer, StringComparison.Ordinal);
        Assert.Equal(1, dying.Requests);
    }
}
