using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Mvc;

namespace MinimalApiApp.Notes;

/// <summary>An answer that can be stored beside the write it belongs to, and given again.</summary>
internal sealed record Answer(int Status, string? Body = null, string? Location = null) : IResult
{
    // The answers are JSON, never part of a page: notes in any script stay readable.
    private static readonly NotesJson _json = new(new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    public static Answer Created(Note note) => new(StatusCodes.Status201Created, Text(note, _json.Note), $"/notes/{note.Id}");

    public static Answer Created(Upload upload) => new(StatusCodes.Status201Created, Text(upload, _json.Upload));

    public static Answer Ok(Note note) => new(StatusCodes.Status200OK, Text(note, _json.Note));

    public static Answer NoContent { get; } = new(StatusCodes.Status204NoContent);

    public static Answer NotFound(long id) => Problem(StatusCodes.Status404NotFound, "There is no such note", $"No note has the id {id}.");

    public static Answer BadNote(string detail) => Problem(StatusCodes.Status400BadRequest, "Bad note", detail);

    public static Answer Problem(int status, string title, string detail) =>
        Problem(new ProblemDetails { Status = status, Title = title, Detail = detail });

    public static Answer Problem(ProblemDetails problem) => new(problem.Status!.Value, Text(problem, _json.ProblemDetails));

    /// <summary>207: one answer that holds others, each with a status of its own.</summary>
    public static Answer PerItem(IEnumerable<Answer> items) =>
        new(StatusCodes.Status207MultiStatus, $"[{string.Join(',', items.Select(item => $$"""{"status":{{item.Status}},"body":{{item.Body}}}"""))}]");

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = Status;
        if (Location is not null)
        {
            response.Headers.Location = Location;
        }

        if (Status is StatusCodes.Status409Conflict or StatusCodes.Status503ServiceUnavailable)
        {
            response.Headers.RetryAfter = "1";
        }

        if (Body is not null)
        {
            response.ContentType = Status < 400 ? "application/json; charset=utf-8" : "application/problem+json";
            await response.WriteAsync(Body, httpContext.RequestAborted);
        }
    }

    private static string Text<T>(T value, JsonTypeInfo<T> type) => JsonSerializer.Serialize(value, type);
}
