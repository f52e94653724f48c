using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Stores.Kubernetes;

/// <summary>How an API server says no: <c>meta/v1 Status</c>.</summary>
internal static class FakeStatus
{
    public static JsonObject Of(HttpStatusCode code, string message) => new()
    {
        ["kind"] = "Status",
        ["apiVersion"] = "v1",
        ["metadata"] = new JsonObject(),
        ["status"] = "Failure",
        ["message"] = message,
        ["reason"] = code switch
        {
            HttpStatusCode.BadRequest => "BadRequest",
            HttpStatusCode.Unauthorized => "Unauthorized",
            HttpStatusCode.Forbidden => "Forbidden",
            HttpStatusCode.NotFound => "NotFound",
            HttpStatusCode.Conflict => "Conflict",
            HttpStatusCode.Gone => "Expired",
            HttpStatusCode.UnprocessableEntity => "Invalid",
            HttpStatusCode.TooManyRequests => "TooManyRequests",
            HttpStatusCode.ServiceUnavailable => "ServiceUnavailable",
            _ => "InternalError",
        },
        ["code"] = (int)code,
    };

    public static Task Write(HttpContext context, HttpStatusCode code, string message)
    {
        context.Response.StatusCode = (int)code;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(Of(code, message).ToJsonString());
    }
}
