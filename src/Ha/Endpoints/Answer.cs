using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ha.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Ha.Endpoints;

/// <summary>Writes whole small answers; a HEAD gets the headers of the GET and no body.</summary>
internal static class Answer
{
    public static Task JsonAsync<T>(HttpContext context, int status, T value, JsonTypeInfo<T> type) =>
        BytesAsync(context, status, "application/json", JsonSerializer.SerializeToUtf8Bytes(value, type));

    public static Task ProblemAsync(HttpContext context, int status, string error, string? leader = null) =>
        new HaProblem(status, error) { Leader = leader }.WriteBodyAsync(context);

    public static Task MethodNotAllowedAsync(HttpContext context, string allow)
    {
        context.Response.Headers.Allow = allow;
        return ProblemAsync(context, StatusCodes.Status405MethodNotAllowed, "method not allowed");
    }

    public static Task UnauthorizedAsync(HttpContext context, params string[] challenges)
    {
        context.Response.Headers.WWWAuthenticate = new StringValues(challenges);
        return ProblemAsync(context, StatusCodes.Status401Unauthorized, "the admin token is missing or wrong");
    }

    public static Task BytesAsync(HttpContext context, int status, string contentType, ReadOnlyMemory<byte> body)
    {
        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = contentType;
        response.ContentLength = body.Length;
        return HttpMethods.IsHead(context.Request.Method)
            ? Task.CompletedTask
            : response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}
