using System.Text.Json;
using Ha.Leadership;
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

        var result = sources.StepDown?.Invoke(to) ?? new StepDownResult(StepDownOutcome.NotLeader);
        sources.Log.StepDownRequested(to ?? "the best node", context.Connection.RemoteIpAddress, Word(result.Outcome));
        await AnswerAsync(context, result);
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

    private Task AnswerAsync(HttpContext context, StepDownResult result)
    {
        switch (result.Outcome)
        {
            case StepDownOutcome.Accepted:
                var answer = new StepDownAnswer(result.Successor ?? "");
                return Answer.JsonAsync(context, StatusCodes.Status202Accepted, answer, EndpointJson.Default.StepDownAnswer);
            case StepDownOutcome.NotLeader when sources.Provider.Current is var snapshot && snapshot.KnowsLeader():
                return ConflictAsync(context, result.Outcome, snapshot.LeaderUrl);
            default:
                return ConflictAsync(context, result.Outcome);
        }
    }

    private static string Word(StepDownOutcome outcome) => outcome switch
    {
        StepDownOutcome.Accepted => "accepted",
        StepDownOutcome.NotLeader => "not leader",
        StepDownOutcome.NotEligible => "target not eligible",
        StepDownOutcome.AlreadyRunning => "a handoff is already running",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, message: null),
    };

    private static Task ConflictAsync(HttpContext context, StepDownOutcome outcome, string? leader = null) =>
        Answer.ProblemAsync(context, StatusCodes.Status409Conflict, Word(outcome), leader);
}
