using System.Text.Json;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints;

/// <summary><c>POST /_ha/step-down</c>, <c>/_ha/pause</c> and <c>/_ha/resume</c>, after the token was checked.</summary>
internal sealed class ActionEndpoints(EndpointSources sources)
{
    /// <summary>Bytes of a body; a node id fits many times.</summary>
    public const int MaxBody = 4096;

    public async Task StepDownAsync(HttpContext context)
    {
        if (await ReadAsync(context) is not { } asked)
        {
            return;
        }

        var start = sources.StepDown?.Invoke(asked.To) ?? new HandoffStart(HandoffResult.NotSupported);
        sources.Log.StepDownRequested(asked.To ?? "the best node", context.Connection.RemoteIpAddress, Word(start.Result));
        await (start.Result == HandoffResult.Accepted
            ? Answer.JsonAsync(
                context, StatusCodes.Status202Accepted, new StepDownAnswer(start.Successor ?? ""), EndpointJson.Default.StepDownAnswer)
            : ConflictAsync(context, start.Result));
    }

    public async Task PauseAsync(HttpContext context)
    {
        if (await ReadAsync(context) is not { } asked)
        {
            return;
        }

        var start = sources.Pause?.Invoke(asked.To) ?? new HandoffStart(HandoffResult.NotSupported);
        sources.Log.PauseRequested(context.Connection.RemoteIpAddress, Word(start.Result));
        await AnswerAsync(context, start, paused: true);
    }

    public async Task ResumeAsync(HttpContext context)
    {
        if (await ReadAsync(context) is not { } asked)
        {
            return;
        }

        if (asked.To is not null)
        {
            await Answer.ProblemAsync(
                context, StatusCodes.Status400BadRequest, "the body must be empty: a resumed node takes leadership from nobody");
            return;
        }

        var result = sources.Resume?.Invoke() == true ? HandoffResult.Accepted : HandoffResult.NotSupported;
        sources.Log.ResumeRequested(context.Connection.RemoteIpAddress, Word(result));
        var leader = sources.Provider.Current is { KnowsLeader: true } snapshot ? snapshot.LeaderId : null;
        await AnswerAsync(context, new HandoffStart(result, leader), paused: false);
    }

    /// <returns>Null: it was answered.</returns>
    private static async Task<StepDownRequest?> ReadAsync(HttpContext context)
    {
        var buffer = new byte[MaxBody + 1];
        var length = await context.Request.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, context.RequestAborted);
        if (length > MaxBody)
        {
            await Answer.ProblemAsync(context, StatusCodes.Status413PayloadTooLarge, "the body is too large");
            return null;
        }

        if (Parse(buffer.AsSpan(0, length)) is { } request)
        {
            return request;
        }

        await Answer.ProblemAsync(context, StatusCodes.Status400BadRequest, "the body must be empty or {\"to\":\"node-id\"}");
        return null;
    }

    private static StepDownRequest? Parse(ReadOnlySpan<byte> body)
    {
        if (body.IsEmpty)
        {
            return new StepDownRequest();
        }

        try
        {
            return JsonSerializer.Deserialize(body, EndpointJson.Default.StepDownRequest) is { To: not "" } request ? request : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private Task AnswerAsync(HttpContext context, HandoffStart start, bool paused) =>
        start.Result == HandoffResult.Accepted
            ? Answer.JsonAsync(
                context, StatusCodes.Status202Accepted, new PauseAnswer(paused, start.Successor ?? ""), EndpointJson.Default.PauseAnswer)
            : ConflictAsync(context, start.Result);

    private static string Word(HandoffResult result) => result switch
    {
        HandoffResult.Accepted => "accepted",
        HandoffResult.NotLeader => "not leader",
        HandoffResult.NotEligible => "target not eligible",
        HandoffResult.AlreadyRunning => "a handoff is already running",
        HandoffResult.NotSupported => "this node's leader is fixed, or its provider takes no such orders",
        _ => throw new ArgumentOutOfRangeException(nameof(result), result, message: null),
    };

    private Task ConflictAsync(HttpContext context, HandoffResult result)
    {
        var leader = result == HandoffResult.NotLeader && sources.Provider.Current is { KnowsLeader: true } snapshot
            ? snapshot.LeaderUrl : null;
        return Answer.ProblemAsync(context, StatusCodes.Status409Conflict, Word(result), leader);
    }
}
