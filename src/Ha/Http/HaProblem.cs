using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.WebUtilities;

namespace Ha.Http;

/// <summary>
/// One refusal in the form of RFC 9457, always with an <c>error</c> member that programs may compare.
/// </summary>
/// <param name="Status">The HTTP status code.</param>
/// <param name="Error">A few fixed words, part of the contract.</param>
/// <param name="Detail">One sentence for people; null: the error says it all.</param>
internal sealed record HaProblem(int Status, string Error, string? Detail = null)
{
    private const int GrpcUnknown = 2;
    private const int GrpcUnavailable = 14;

    /// <summary>Whole seconds for <c>Retry-After</c>; null: a repetition is not invited.</summary>
    public int? RetryAfterSeconds { get; init; }

    /// <summary>The <c>leader_known</c> member, when the answer has one.</summary>
    public bool? LeaderKnown { get; init; }

    /// <summary>The leader's public URL, when the client may see it.</summary>
    public string? Leader { get; init; }

    /// <summary>The epoch that goes with <see cref="Leader"/>.</summary>
    public long? Epoch { get; init; }

    /// <summary>True when provably nothing was executed.</summary>
    public bool NotExecuted { get; init; }

    /// <summary>
    /// Writes the answer; the response must not have started, whatever was set on it before is cleared. A gRPC
    /// request gets it as a trailers-only response: its client would not look at a status or a body.
    /// </summary>
    /// <param name="context">The request to answer.</param>
    /// <param name="mark">Also set <c>X-Base-Not-Executed</c>, if that is so.</param>
    /// <param name="byHandler">For the node that forwarded it: the handler ran, and said so itself.</param>
    public Task WriteAsync(HttpContext context, bool mark = false, bool byHandler = false)
    {
        var response = context.Response;
        response.Clear();
        if (mark && NotExecuted)
        {
            NotExecutedMark.Set(context);
        }

        if (byHandler)
        {
            response.Headers[HaHeaders.RefusedByHandler] = "1";
        }

        response.Headers.CacheControl = "no-store";
        if (RetryAfterSeconds is { } seconds)
        {
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        if (IsGrpc(context.Request))
        {
            return WriteTrailersOnlyAsync(response);
        }

        return WriteBodyAsync(context);
    }

    /// <summary>Status and body alone, beside headers that are set already; no body for HEAD.</summary>
    public Task WriteBodyAsync(HttpContext context)
    {
        var response = context.Response;
        var body = JsonSerializer.SerializeToUtf8Bytes(ToDetails(), ProblemJson.Default.ProblemDetails);
        response.StatusCode = Status;
        response.ContentType = "application/problem+json";
        response.ContentLength = body.Length;

        // Not under RequestAborted: that may be a time limit which the application has set, and the client is waiting.
        return HttpMethods.IsHead(context.Request.Method)
            ? Task.CompletedTask
            : response.Body.WriteAsync(body, CancellationToken.None).AsTask();
    }

    /// <summary>The same members as an object, for answers that hold several.</summary>
    public ProblemDetails ToDetails()
    {
        var details = new ProblemDetails { Title = ReasonPhrases.GetReasonPhrase(Status), Status = Status, Detail = Detail };
        details.Extensions["error"] = Error;
        if (LeaderKnown is { } known)
        {
            details.Extensions["leader_known"] = known;
        }

        if (Leader is not null)
        {
            details.Extensions["leader"] = Leader;
        }

        if (Epoch is { } epoch)
        {
            details.Extensions["epoch"] = epoch;
        }

        return details;
    }

    /// <summary>True for <c>application/grpc</c> and its variants (<c>+proto</c>, <c>-web</c>).</summary>
    public static bool IsGrpc(HttpRequest request) => IsGrpc(request.ContentType);

    public static bool IsGrpc(string? contentType) => contentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;

    // The statuses that gRPC clients make of a plain 503 or 502 are both "unavailable", which their retry policies
    // repeat: right for what was not executed, wrong for what may have been.
    private Task WriteTrailersOnlyAsync(HttpResponse response)
    {
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = response.HttpContext.Request.ContentType;
        response.Headers.GrpcStatus = (NotExecuted ? GrpcUnavailable : GrpcUnknown).ToString(CultureInfo.InvariantCulture);
        response.Headers.GrpcMessage = Uri.EscapeDataString(Error).Replace("%20", " ", StringComparison.Ordinal);
        response.Headers[GrpcMarks.Retriable] = NotExecuted ? GrpcMarks.Yes : GrpcMarks.No;
        if (Leader is not null)
        {
            response.Headers[GrpcMarks.Leader] = Leader;
            response.Headers[GrpcMarks.Epoch] = Epoch?.ToString(CultureInfo.InvariantCulture);
        }

        response.ContentLength = HttpProtocol.IsHttp2(response.HttpContext.Request.Protocol) ? null : 0;
        return response.CompleteAsync();
    }
}

/// <summary>The members of a <see cref="HaProblem"/>, in their order.</summary>
[JsonSerializable(typeof(ProblemDetails))]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(bool))]
[JsonSerializable(typeof(long))]
internal sealed partial class ProblemJson : JsonSerializerContext;
