using System.Text.Json;
using Ha.Tests.Support;
using Microsoft.Data.Sqlite;

namespace Ha.Tests.Example;

[Collection(DatabaseTests.Name)]
public class NotesBatchTests(PostgresServer postgres)
{
    [Theory, EachDatabase]
    public async Task Each_note_of_a_batch_has_an_answer_of_its_own(string kind)
    {
        using var database = await TestDatabase.NewAsync(kind, postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);

        var answer = await app.SendAsync("POST", "/notes/batch", """[{"text":"one"},{"text":""},null,{"text":"two ☃"}]""");

        Assert.Equal((207, "application/json"), (answer.Status, answer.MediaType));
        var items = answer.Json.EnumerateArray().ToArray();
        Assert.Equal([201, 400, 400, 201], items.Select(item => item.GetProperty("status").GetInt32()));
        Assert.Equal("Bad note", items[1].GetProperty("body").GetProperty("title").GetString());
        var created = new[] { items[0], items[3] }.Select(item => item.GetProperty("body").GetRawText());
        Assert.Equal(created, (await app.NotesAsync()).Select(note => note.GetRawText()));
    }

    [Fact]
    public async Task A_note_that_the_database_fails_takes_no_other_answer_with_it()
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        await using (var connection = new SqliteConnection(database.ConnectionString))
        {
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
            command.CommandText = "CREATE TRIGGER failing BEFORE INSERT ON notes WHEN NEW.text = 'bad' BEGIN SELECT RAISE(ABORT, 'bad'); END";
            await command.ExecuteNonQueryAsync();
        }

        var answer = await app.SendAsync("POST", "/notes/batch", """[{"text":"one"},{"text":"bad"},{"text":"two"}]""");

        Assert.Equal(207, answer.Status);
        var items = answer.Json.EnumerateArray().ToArray();
        Assert.Equal([201, 502, 201], items.Select(item => item.GetProperty("status").GetInt32()));
        Assert.Equal("outcome unknown", items[1].GetProperty("body").GetProperty("error").GetString());
        Assert.Equal(["one", "two"], (await app.NotesAsync()).Select(note => note.GetProperty("text").GetString()));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("1001")]
    public async Task What_is_not_an_array_of_1_to_1000_is_refused_as_a_whole(string body)
    {
        using var database = await TestDatabase.NewAsync("SQLite", postgres);
        await using var app = await NotesApp.StartAsync(database.ConnectionString);
        var json = body is "1001" ? JsonSerializer.Serialize(Enumerable.Repeat(new { text = "x" }, 1001)) : body;

        var answer = await app.SendAsync("POST", "/notes/batch", json);

        Assert.Equal((400, "application/problem+json"), (answer.Status, answer.MediaType));
        Assert.Empty(await app.NotesAsync());
    }
}
