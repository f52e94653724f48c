using System.Text.Json;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints;

/// <summary><c>POST /_ha/step-down</c>, after the token was checked.</summary>
internal sealed class StepDownEndpoint(EndpointSources sources)
{
    /// <summary>Bytes of a body; a node id fits many times.</summary>
    public const int MaxBody = 4096;

    public async Task HandleAsync(HttpContext context)
    {
        var body = await ReadAsync(context.Request.Body, context.RequestAborted);
        if (body.Length > MaxBody)
        {
            await Answer.ProblemAsync(context, StatusCodes.Status413PayloadTooLarge, "the body is too large");
            return;
        }

        if (!TryParse(body.Span, out var to))
        {
            await Answer.ProblemAsync(
                context, StatusCodes.Status400BadRequest, "the body must be empty or {\"to\":\"node-id\"}");
            return;
        }

        var start = sources.StepDown?.Invoke(to) ?? new HandoffStart(HandoffResult.NotLeader);
        sources.Log.StepDownRequested(to ?? "the best node", context.Connection.RemoteIpAddress, Word(start.Result));
        await AnswerAsync(context, start);
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(Stream body, CancellationToken aborted)
    {
        var buffer = new byte[MaxBody + 1];
        var length = await body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, aborted);
        return buffer.AsMemory(0, length);
    }

    private static bool TryParse(ReadOnlySpan<byte> body, out string? to)
    {
        to = null;
        if (body.IsEmpty)
        {
            return true;
        }

        try
        {
            var request = JsonSerializer.Deserialize(body, EndpointJson.Default.StepDownRequest);
            to = request?.To;
            return request is not null && to is not "";
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private Task AnswerAsync(HttpContext context, HandoffStart start)
    {
        switch (start.Result)
        {
            case HandoffResult.Accepted:
                var answer = new StepDownAnswer(start.Successor ?? "");
                return Answer.JsonAsync(context, StatusCodes.Status202Accepted, answer, EndpointJson.Default.StepDownAnswer);
            case HandoffResult.NotLeader when sources.Provider.Current is var snapshot && snapshot.KnowsLeader:
                return ConflictAsync(context, start.Result, snapshot.LeaderUrl);
            default:
                return ConflictAsync(context, start.Result);
        }
    }

    private static string Word(HandoffResult result) => result switch
    {
        HandoffResult.Accepted => "accepted",
        HandoffResult.NotLeader => "not leader",
        HandoffResult.NotEligible => "target not eligible",
        HandoffResult.AlreadyRunning => "a handoff is already running",
        _ => throw new ArgumentOutOfRangeException(nameof(result), result, message: null),
    };

    private static Task ConflictAsync(HttpContext context, HandoffResult result, string? leader = null) =>
        Answer.ProblemAsync(context, StatusCodes.Status409Conflict, Word(result), leader);
}
