using System.Security.Cryptography;
using System.Text.Json;
using Ha.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using MinimalApiApp.Notes;

namespace Ha.Tests.Example;

[Collection(DatabaseTests.Name)]
public class NotesApiTests(PostgresServer postgres)
{
    [Theory, EachDatabase]
    public async Task A_note_is_created_read_changed_and_deleted(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);

        var created = await app.AddAsync("first ☃");
        Assert.Equal(201, created.Status);
        Assert.Equal($"/notes/{created.Id}", created.Headers["Location"]);
        Assert.Equal("first ☃", created.Json.GetProperty("text").GetString());
        Assert.Equal(0, created.Json.GetProperty("epoch").GetInt64());
        Assert.False(string.IsNullOrEmpty(created.Json.GetProperty("node").GetString()));

        Assert.Equal(created.Body, (await app.SendAsync("GET", $"/notes/{created.Id}")).Json.GetRawText());
        var changed = await app.SendAsync("PUT", $"/notes/{created.Id}", """{"text":"second"}""");
        Assert.Equal((200, "second"), (changed.Status, changed.Json.GetProperty("text").GetString()));
        Assert.Equal("second", (await app.SendAsync("GET", $"/notes/{created.Id}")).Json.GetProperty("text").GetString());
        Assert.Equal(204, (await app.SendAsync("DELETE", $"/notes/{created.Id}")).Status);
        Assert.Empty(await app.NotesAsync());
    }

    [Theory, EachDatabase]
    public async Task Notes_are_listed_by_ascending_id_after_the_one_given(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        var ids = (await Task.WhenAll(Enumerable.Range(0, 20).Select(i => app.AddAsync($"note {i}")))).Select(r => r.Id).Order().ToArray();

        Assert.Equal(ids, (await app.NotesAsync()).Select(n => n.GetProperty("id").GetInt64()));
        Assert.Equal(ids[5..], (await app.NotesAsync($"?after={ids[4]}")).Select(n => n.GetProperty("id").GetInt64()));
        var page = await app.SendAsync("GET", "/notes?limit=3");
        Assert.Equal($"</notes?after={ids[2]}&limit=3>; rel=\"next\"", page.Headers["Link"]);
        Assert.False((await app.SendAsync("GET", $"/notes?after={ids[18]}")).Headers.ContainsKey("Link"));
    }

    [Theory, EachDatabase]
    public async Task The_id_of_a_deleted_note_is_not_used_again(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        var first = await app.AddAsync("a");
        await app.SendAsync("DELETE", $"/notes/{first.Id}");
        Assert.True((await app.AddAsync("b")).Id > first.Id);
    }

    [Theory, EachDatabase]
    public async Task Search_ignores_case_and_takes_wildcards_literally(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        foreach (var text in new[] { "Half", "100% sure", "100 times", @"back\slash", "under_score" })
        {
            await app.AddAsync(text);
        }

        Assert.Equal("Half", await SearchAsync(app, "hAL"));
        Assert.Equal("100% sure", await SearchAsync(app, "0%"));
        Assert.Equal(@"back\slash", await SearchAsync(app, @"\"));
        Assert.Equal("under_score", await SearchAsync(app, "_"));
        Assert.Equal(400, (await app.SendAsync("POST", "/notes/search", """{"text":""}""")).Status);
        Assert.Equal(400, (await app.SendAsync("POST", "/notes/search", """{"text":"a","limit":0}""")).Status);
        Assert.Equal(400, (await app.SendAsync("POST", "/notes/search", """{"text":"\u0000"}""")).Status);
        Assert.Equal("", await SearchAsync(app, new string('%', 1000)));
        Assert.Equal(400, (await app.SendAsync("POST", "/notes/search", JsonSerializer.Serialize(new { text = new string('x', 1001) }))).Status);
    }

    [Theory]
    [InlineData("""{"text":""}""", "not empty")]
    [InlineData("""{"text":"  \n"}""", "white space")]
    [InlineData("{}", "not empty")]
    [InlineData("""{"text":"a\u0000b"}""", "NUL")]
    public async Task A_note_without_a_good_text_is_refused_with_the_reason(string json, string reason)
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        foreach (var (method, path) in new[] { ("POST", "/notes"), ("PUT", "/notes/1") })
        {
            var refused = await app.SendAsync(method, path, json);
            Assert.Equal((400, "application/problem+json"), (refused.Status, refused.MediaType));
            Assert.Contains(reason, refused.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("Production")]
    [InlineData("Development")]
    public async Task Whatever_cannot_be_served_is_answered_as_a_problem(string environment)
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString, "--environment", environment);
        (string Method, string Path, string? Json, int Status)[] cases =
        [
            ("POST", "/notes", "{\"text\":", 400),
            ("POST", "/notes", JsonSerializer.Serialize(new { text = new string('x', 100_001) }), 400),
            ("GET", "/notes?limit=1001", null, 400),
            ("GET", "/notes?limit=0", null, 400),
            ("GET", "/notes?after=abc", null, 400),
            ("GET", "/notes/7", null, 404),
            ("PUT", "/notes/7", """{"text":"x"}""", 404),
            ("DELETE", "/notes/7", null, 404),
            ("GET", "/nowhere", null, 404),
            ("PATCH", "/notes", null, 405),
        ];
        foreach (var (method, path, json, status) in cases)
        {
            var answer = await app.SendAsync(method, path, json);
            Assert.Equal((path, status, "application/problem+json"), (path, answer.Status, answer.MediaType));
        }

        using var text = new StringContent("hello");
        using var unsupported = await app.Http.PostAsync("/notes", text);
        Assert.Equal((415, "application/problem+json"), ((int)unsupported.StatusCode, unsupported.Content.Headers.ContentType?.MediaType));
    }

    [Fact]
    public async Task An_upload_that_is_too_large_is_told_so_before_it_is_sent()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        using var http = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromMinutes(1) });
        http.DefaultRequestHeaders.ExpectContinue = true;
        using var content = new ByteArrayContent([]);
        content.Headers.ContentLength = (4L << 30) + 1;
        using var answer = await http.PostAsync(new Uri(app.Http.BaseAddress!, "/uploads"), content);
        Assert.Equal((413, "application/problem+json"), ((int)answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
    }

    [FactIfPostgres]
    public async Task The_end_of_the_application_closes_its_connections()
    {
        using var database = await TestDatabase.NewAsync("PostgreSQL", postgres);
        NotesDatabase notes;
        await using (var app = await NotesApp.StartAsync(database.ConnectionString))
        {
            notes = app.Services.GetRequiredService<NotesDatabase>();
            await app.AddAsync("x");
        }

        await Assert.ThrowsAsync<ObjectDisposedException>(() => notes.OpenAsync(CancellationToken.None));
    }

    [Fact]
    public async Task An_upload_is_read_as_a_stream_beyond_the_usual_limit()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        var bytes = new byte[40_000_000];
        using var content = new ByteArrayContent(bytes);
        using var answer = await app.Http.PostAsync("/uploads", content);
        Assert.Equal(201, (int)answer.StatusCode);
        using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        Assert.Equal(bytes.Length, json.RootElement.GetProperty("bytes").GetInt64());
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), json.RootElement.GetProperty("sha256").GetString());
    }

    [Fact]
    public async Task The_page_needs_nothing_but_itself()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        var page = await app.SendAsync("GET", "/");
        Assert.Equal((200, "text/html"), (page.Status, page.MediaType));
        Assert.Contains("default-src 'none'", page.Headers["Content-Security-Policy"], StringComparison.Ordinal);
        Assert.DoesNotContain("://", page.Body, StringComparison.Ordinal);
    }

    private static async Task<string> SearchAsync(NotesApp app, string text) =>
        string.Join('|', (await app.SendAsync("POST", "/notes/search", JsonSerializer.Serialize(new { text }))).Json.EnumerateArray()
            .Select(n => n.GetProperty("text").GetString()));
}
