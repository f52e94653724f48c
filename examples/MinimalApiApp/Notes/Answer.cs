using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc;

namespace MinimalApiApp.Notes;

/// <summary>An answer that can be stored beside the write it belongs to, and given again.</summary>
internal sealed record Answer(int Status, string? Body = null, string? Location = null) : IResult
{
    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web)
    {
        // The answers are JSON, never part of a page: notes in any script stay readable.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static Answer Created(string? location, object body) =>
        new(StatusCodes.Status201Created, JsonSerializer.Serialize(body, _json), location);

    public static Answer Ok(object body) => new(StatusCodes.Status200OK, JsonSerializer.Serialize(body, _json));

    public static Answer NoContent { get; } = new(StatusCodes.Status204NoContent);

    public static Answer NotFound(long id) => Problem(StatusCodes.Status404NotFound, "There is no such note", $"No note has the id {id}.");

    public static Answer BadNote(string detail) => Problem(StatusCodes.Status400BadRequest, "Bad note", detail);

    public static Answer Problem(int status, string title, string detail) =>
        Problem(new ProblemDetails { Status = status, Title = title, Detail = detail });

    public static Answer Problem(ProblemDetails problem) => new(problem.Status!.Value, JsonSerializer.Serialize(problem, _json));

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
}
