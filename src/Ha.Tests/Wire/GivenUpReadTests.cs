using Ha.Tests.Forwarding;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.OnTheWire;

/// <summary>
/// An attempt that breaks while the client still sends. Its read of the body has to end with it, or the server finds the
/// body in use, and closes the connection instead of reading on.
/// </summary>
public sealed class GivenUpReadTests
{
    [Fact]
    public async Task An_attempt_that_breaks_while_it_flushes_leaves_the_body_readable()
    {
        var broken = new TaskCompletionSource();
        await using var leader = new RawLeader(async (connection, _) =>
        {
            await connection.ReceiveUntilAsync("01234");
            connection.Reset();
            broken.SetResult();
        });

        await AssertReadsOnAsync(leader, "", async client =>
        {
            await broken.Task;

            // Only who sends notices; there is nothing more to read then, so the byte is flushed at once.
            await client.SendAsync("5");
        });
    }

    [Fact]
    public async Task An_attempt_that_breaks_while_it_reads_leaves_the_body_readable()
    {
        await using var leader = new RawLeader(async (connection, _) =>
        {
            await connection.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await connection.ReceiveUntilAsync("01234");
            connection.Reset();
        });

        await AssertReadsOnAsync(leader, "Expect: 100-continue\r\n", static client => client.SendAsync("5"));
    }

    [Fact]
    public async Task The_next_attempt_of_a_write_with_a_key_reads_on_where_the_broken_one_stood()
    {
        var attempts = 0;
        var again = new TaskCompletionSource();
        await using var leader = new RawLeader(async (connection, _) =>
        {
            await connection.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await connection.ReceiveUntilAsync("01234");
            if (Interlocked.Increment(ref attempts) == 1)
            {
                connection.Reset();
                return;
            }

            again.TrySetResult();
            await connection.ReceiveUntilAsync("0123456789");
            await connection.SendAsync("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
        });
        await using var follower = await TestNode.ProxyAsync(leader.Url, new TestNodeSetup
        {
            AfterRouting = true,
            App = static app => app.MapPost("/keyed", static () => Results.Ok()).HonorsIdempotencyKey(),
        });
        using var client = await RawConnection.ConnectAsync(follower.Port);

        await client.SendAsync("POST /keyed HTTP/1.1\r\nHost: a\r\nIdempotency-Key: \"1\"\r\n");
        await client.SendAsync("Expect: 100-continue\r\nContent-Length: 10\r\n\r\n01234");
        var answered = client.ReceiveUntilAsync("HTTP/1.1 201 ");
        await Task.WhenAny(again.Task, answered);
        await client.SendAsync("56789");
        await answered;
    }

    private static async Task AssertReadsOnAsync(RawLeader leader, string header, Func<RawConnection, Task> goOn)
    {
        await using var follower = await TestNode.ProxyAsync(leader.Url);
        await using var next = await TestNode.LeaderAsync(new AnswerApp().Map);
        using var client = await RawConnection.ConnectAsync(follower.Port);
        await client.SendAsync($"POST /nothing HTTP/1.1\r\nHost: a\r\n{header}Content-Length: 10\r\n\r\n01234");
        await goOn(client);
        await client.ReceiveUntilAsync("outcome unknown");
        follower.Leadership.Follow(next.Url, epoch: 2);
        await client.SendAsync("6789POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        await client.ReceiveUntilAsync("HTTP/1.1 204 ");
    }
}
