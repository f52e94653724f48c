using Ha;

namespace MinimalApiApp.Notes;

internal static class NotesEndpoints
{
    public const string Add = "add";
    private const int PageSize = 1000;
    private const int MaxSearched = 1000;

    public static void MapNotes(this WebApplication app)
    {
        app.MapGet("/whoami", WhoAmI);
        app.MapGet("/heartbeats", HeartbeatsAsync);
        var notes = app.MapGroup("/notes");
        notes.MapGet("/", ListAsync);
        notes.MapGet("/{id:long}", GetAsync).WithName("note");
        notes.MapPost("/", AddAsync).HonorsIdempotencyKey().WithName(Add);
        notes.MapPut("/{id:long}", ReplaceAsync).HonorsIdempotencyKey();
        notes.MapDelete("/{id:long}", DeleteAsync).HonorsIdempotencyKey();
        notes.MapBatch();
        // A POST that only reads: any node answers it.
        notes.MapPost("/search", SearchAsync).AllowOnAnyNode();
    }

    public static async Task<Answer> InsertAsync(FencedTransaction transaction, string text)
    {
        var id = await transaction.InsertAsync(
            "INSERT INTO notes (text, node, epoch) VALUES (@text, @node, @epoch) RETURNING id", ("text", text));
        return Answer.Created(new Note(id, text, transaction.Node, transaction.Epoch));
    }

    private static WhoAmI WhoAmI(ILeaderProvider leader, NotesDatabase database)
    {
        var now = leader.Current;
        return new(now.NodeId, now.IsLeader, now.LeaderId, now.Epoch, Environment.ProcessId, database.Sql.Name);
    }

    private static async Task<IResult> HeartbeatsAsync(NotesDatabase database, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        return Results.Ok(await connection.Command("SELECT id, at, node, epoch FROM heartbeats ORDER BY id DESC LIMIT 20").QueryAsync(
            row => new Heartbeat(row.GetInt64(0), row.GetInt64(1), row.GetString(2), row.GetInt64(3)), cancellationToken));
    }

    private static async Task<IResult> ListAsync(
        NotesDatabase database, HttpResponse response, CancellationToken cancellationToken, long after = 0, int limit = PageSize)
    {
        if (limit is < 1 or > PageSize)
        {
            return Answer.Problem(StatusCodes.Status400BadRequest, "Bad limit", $"The limit is 1 to {PageSize}.");
        }

        var page = await QueryAsync(database, "WHERE id > @after ORDER BY id LIMIT @limit", cancellationToken, ("after", after), ("limit", limit));
        if (page.Count == limit)
        {
            response.Headers.Link = $"</notes?after={page[^1].Id}&limit={limit}>; rel=\"next\"";
        }

        return Results.Ok(page);
    }

    private static async Task<IResult> GetAsync(long id, NotesDatabase database, CancellationToken cancellationToken) =>
        await QueryAsync(database, "WHERE id = @id", cancellationToken, ("id", id)) is [var note] ? Results.Ok(note) : Answer.NotFound(id);

    private static async Task<IResult> SearchAsync(NoteSearch search, NotesDatabase database, CancellationToken cancellationToken)
    {
        // SQLite's LIKE ends at a NUL, and would find every note; PostgreSQL takes none.
        if (search.Text is not { Length: > 0 and <= MaxSearched } text || text.Contains('\0') || search.Limit is < 1 or > PageSize)
        {
            return Answer.Problem(StatusCodes.Status400BadRequest, "Bad search",
                $"Send a JSON object with the \"text\" to look for, 1 to {MaxSearched} characters without NUL, and a \"limit\" of 1 to {PageSize} if you like.");
        }

        var escaped = text.Replace("\\", "\\\\").Replace("%", "\\%").Replace("_", "\\_");
        return Results.Ok(await QueryAsync(database, $"WHERE text {database.Sql.Like} @pattern ESCAPE '\\' ORDER BY id LIMIT @limit",
            cancellationToken, ("pattern", $"%{escaped}%"), ("limit", search.Limit ?? PageSize)));
    }

    private static Task<Answer> AddAsync(NoteText body, HttpContext http, IdempotentWrites writes) =>
        body.Problem is { } problem ? BadText(problem) : writes.RunAsync(http, body.Text!, t => InsertAsync(t, body.Text!));

    private static Task<Answer> ReplaceAsync(long id, NoteText body, HttpContext http, IdempotentWrites writes) =>
        body.Problem is { } problem ? BadText(problem) : writes.RunAsync(http, body.Text!, async t =>
        {
            var found = await t.ExecuteAsync(
                "UPDATE notes SET text = @text, node = @node, epoch = @epoch WHERE id = @id", ("id", id), ("text", body.Text));
            return found == 0 ? Answer.NotFound(id) : Answer.Ok(new Note(id, body.Text!, t.Node, t.Epoch));
        });

    private static Task<Answer> DeleteAsync(long id, HttpContext http, IdempotentWrites writes) =>
        writes.RunAsync(http, "", async t =>
            await t.ExecuteAsync("DELETE FROM notes WHERE id = @id", ("id", id)) == 0 ? Answer.NotFound(id) : Answer.NoContent);

    private static Task<Answer> BadText(string problem) =>
        Task.FromResult(Answer.BadNote(problem));

    private static async Task<List<Note>> QueryAsync(
        NotesDatabase database, string where, CancellationToken cancellationToken, params (string Name, object? Value)[] parameters)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        return await connection.Command($"SELECT id, text, node, epoch FROM notes {where}", parameters).QueryAsync(
            row => new Note(row.GetInt64(0), row.GetString(1), row.GetString(2), row.GetInt64(3)), cancellationToken);
    }
}
