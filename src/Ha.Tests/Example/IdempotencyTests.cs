using Dapper;
using Ha.Tests.Fencing;
using Ha.Tests.Forwarding;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Http;
using MinimalApiApp.Notes;

namespace Ha.Tests.Example;

[Collection(DatabaseTests.Name)]
public class IdempotencyTests(PostgresServer postgres)
{
    [Theory, EachDatabase]
    public async Task A_key_seen_before_returns_the_first_answer_on_every_node(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var one = await NotesApp.StartAsync(database.ConnectionString);
        await using var other = await NotesApp.StartAsync(database.ConnectionString);

        var first = await one.AddAsync("once", "\"k-1\"");
        var again = await other.AddAsync("once", "\"k-1\"");

        Assert.Equal((201, first.Body, first.Headers["Location"]), (again.Status, again.Body, again.Headers["Location"]));
        Assert.False(first.Headers.ContainsKey("Idempotent-Replayed"));
        Assert.Equal("true", again.Headers["Idempotent-Replayed"]);
        Assert.Single(await one.NotesAsync());
    }

    [Theory, EachDatabase]
    public async Task Requests_with_one_key_at_once_write_one_note_and_get_one_answer(string kind)
    {
        // Time stands still: nobody is told that the first takes too long.
        var time = new ManualTime();
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var one = await NotesApp.StartAsync(time, database.PatientConnectionString);
        await using var other = await NotesApp.StartAsync(time, database.PatientConnectionString);

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => (i % 2 == 0 ? one : other).AddAsync("once", "k")));

        Assert.All(answers, a => Assert.Equal((201, answers[0].Body), (a.Status, a.Body)));
        Assert.Single(answers, a => !a.Headers.ContainsKey("Idempotent-Replayed"));
        Assert.Single(await one.NotesAsync());
    }

    [Theory, EachDatabase]
    public async Task A_write_that_its_leader_could_not_commit_leaves_its_key_to_the_next(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        using var notes = new NotesDatabase(SqlDialect.Of(database.ConnectionString), new StaticLeader("n"));
        var writes = new IdempotentWrites(notes, TimeProvider.System);
        var old = new Permit(10);
        using (LeaderScope.Enter(old))
        {
            await Assert.ThrowsAsync<NotLeaderException>(() => writes.RunAsync(Keyed("k"), "x", async t =>
            {
                await t.ExecuteAsync("INSERT INTO notes (text, node, epoch) VALUES ('x', @node, @epoch)");
                old.Lose();
                return MinimalApiApp.Notes.Answer.NoContent;
            }));
        }

        Assert.Empty(await app.NotesAsync());

        var ran = 0;
        for (var i = 0; i < 2; i++)
        {
            using var scope = LeaderScope.Enter(new Permit(20));
            await writes.RunAsync(Keyed("k"), "x", t =>
            {
                ran++;
                return Task.FromResult(MinimalApiApp.Notes.Answer.NoContent);
            });
        }

        Assert.Equal(1, ran);
    }

    [Theory, EachDatabase]
    public async Task A_key_with_another_request_is_refused_with_422(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        var first = await app.AddAsync("one", "k");
        Assert.Equal(422, (await app.AddAsync("two", "k")).Status);
        Assert.Equal(422, (await app.SendAsync("PUT", $"/notes/{first.Id}", """{"text":"one"}""", "k")).Status);
        Assert.Equal("one", Assert.Single(await app.NotesAsync()).GetProperty("text").GetString());
    }

    [Fact]
    public async Task Changing_and_deleting_honour_the_key_too()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        var note = $"/notes/{(await app.AddAsync("one")).Id}";
        var changed = await app.SendAsync("PUT", note, """{"text":"two"}""", "k1");
        await app.SendAsync("PUT", note, """{"text":"three"}""", "k2");
        Assert.Equal(changed.Body, (await app.SendAsync("PUT", note, """{"text":"two"}""", "k1")).Body);
        Assert.Equal("three", (await app.SendAsync("GET", note)).Json.GetProperty("text").GetString());

        Assert.Equal(204, (await app.SendAsync("DELETE", note, key: "k3")).Status);
        Assert.Equal(204, (await app.SendAsync("DELETE", note, key: "k3")).Status);
        Assert.Equal(404, (await app.SendAsync("DELETE", note, key: "k4")).Status);
    }

    [Fact]
    public async Task While_the_first_request_hangs_its_repetition_is_told_409()
    {
        var time = new ManualTime();
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var app = await NotesApp.StartAsync(time, database.PatientConnectionString);
        await using var blocker = await SqlDialect.Of(database.ConnectionString).Source.OpenConnectionAsync();
        await blocker.ExecuteAsync("BEGIN IMMEDIATE");
        Task<Reply>[] both = [app.AddAsync("x", "k"), app.AddAsync("x", "k")];

        // Whichever came second, as soon as it waits. The background job goes on where its timer is fired, and then
        // waits for the database: not here.
        await Eventually.True(() =>
        {
            _ = Task.Run(() => time.Advance(IdempotentWrites.Patience));
            return both.Any(reply => reply.IsCompleted);
        });
        var told = await await Task.WhenAny(both);
        Assert.Equal((409, "1"), (told.Status, told.Headers["Retry-After"]));
        await blocker.ExecuteAsync("ROLLBACK");

        Assert.Equal([201, 409], (await Task.WhenAll(both)).Select(r => r.Status).Order());
        Assert.Single(await app.NotesAsync());
    }

    [Fact]
    public async Task A_refused_request_does_not_use_its_key_up()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        Assert.Equal(400, (await app.AddAsync("", "k")).Status);
        Assert.Equal(201, (await app.AddAsync("x", "k")).Status);
    }

    private static DefaultHttpContext Keyed(string key) => new() { Request = { Method = "POST", Headers = { ["Idempotency-Key"] = key } } };

    [Theory]
    [InlineData("\"abc\"", "abc")]
    [InlineData("  \"abc\" ", "abc")]
    [InlineData("abc", "abc")]
    [InlineData("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324")]
    [InlineData("\"a \\\" b\\\\\"", "a \" b\\")]
    [InlineData("\"\"", null)]
    [InlineData("", null)]
    [InlineData("\"abc", null)]
    [InlineData("\"abc\"; a=1", null)]
    [InlineData("a b", null)]
    [InlineData("a,b", null)]
    [InlineData("\"\\x\"", null)]
    [InlineData("\"é\"", null)]
    public void A_key_is_a_quoted_string_or_a_bare_token(string header, string? key)
    {
        var http = new DefaultHttpContext();
        http.Request.Headers["Idempotency-Key"] = header;
        Assert.Equal(key is not null, IdempotencyKey.TryRead(http.Request, out var read, out var problem));
        Assert.Equal(key, read);
        Assert.Equal(key is null, problem is not null);
    }

    [Fact]
    public void A_key_that_is_too_long_or_sent_twice_is_refused_and_none_is_fine()
    {
        var http = new DefaultHttpContext();
        Assert.True(IdempotencyKey.TryRead(http.Request, out var none, out _));
        Assert.Null(none);
        http.Request.Headers["Idempotency-Key"] = new string('k', 256);
        Assert.False(IdempotencyKey.TryRead(http.Request, out _, out _));
        http.Request.Headers["Idempotency-Key"] = new(["a", "b"]);
        Assert.False(IdempotencyKey.TryRead(http.Request, out _, out _));
    }
}
