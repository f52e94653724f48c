using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Pipelines;

/// <summary>The application of one case: what its endpoints do on either node.</summary>
internal sealed class CaseHandler(PipelineCase drawn, Ledger ledger, Timeline timeline)
{
    /// <summary>Longer than any wait in here lasts, shorter than the client's patience.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);

    // Whoever puts a stream into the place of the server's own sees only what was flushed into it.
    private readonly bool _buffered =
        drawn.Has(StageKind.SwapBody) || drawn.Has(StageKind.ResponseCaching) || drawn.Has(StageKind.OutputCache);

    /// <param name="context">The request.</param>
    /// <param name="node">Index of the node it is on.</param>
    public async Task RunAsync(HttpContext context, int node)
    {
        var id = context.Request.Headers[CaseHeaders.Id].ToString();
        var index = Array.FindIndex(drawn.Requests, plan => plan.Id == id);
        if (index < 0)
        {
            ledger.Strays.Enqueue(id);
            return;
        }

        var keyed = context.GetEndpoint()?.Metadata.GetMetadata<HonorsIdempotencyKeyAttribute>() is not null;
        var run = ledger.Begin(id, node, keyed);
        try
        {
            await ActAsync(context, drawn.Requests[index], index, run);
            run.End = RunEnd.Returned;
        }
        catch (Exception thrown)
        {
            run.Failure = thrown.GetType().Name;
            run.End = IsRefusal(thrown) ? RunEnd.Refused : RunEnd.Threw;
            throw;
        }
    }

    private async Task ActAsync(HttpContext context, RequestPlan plan, int index, Run run)
    {
        await timeline.ReachAsync(index, Moment.HandlerStarted);
        await BodyReader.ReadAsync(context, plan, run);
        await timeline.ReachAsync(index, Moment.BodyRead);
        var lease = context.Features.Get<IHaFeature>();
        switch (plan.Act)
        {
            case Act.ThrowBeforeCommit:
                throw new InvalidOperationException("Before the commit.");
            case Act.NotLeader when Refuses(plan, run):
                throw Refusal(plan.Wrapping);
            case Act.LeaseLostInCommit when lease is not null:
                run.Committed = plan.Commits;
                await timeline.LoseLeaseAsync();
                await new TaskCompletionSource().Task.WaitAsync(_patience, lease.LeaseLost);
                break;
        }

        if (plan.ChecksLease)
        {
            lease?.EnsureStillLeader();
        }

        run.Committed = plan.Commits;
        await timeline.ReachAsync(index, Moment.Committed);
        await EndAsync(context, plan, index, run);
    }

    private async Task EndAsync(HttpContext context, RequestPlan plan, int index, Run run)
    {
        var response = context.Response;
        switch (plan.Act)
        {
            case Act.NoContent:
                response.StatusCode = StatusCodes.Status204NoContent;
                Sign(response, plan with { AnswerLength = 0 }, run);
                break;
            case Act.NotFoundEmpty:
                response.StatusCode = StatusCodes.Status404NotFound;
                break;
            case Act.ErrorEmpty:
                response.StatusCode = StatusCodes.Status500InternalServerError;
                break;
            case Act.CommitThenThrow:
                throw new InvalidOperationException("After the commit.");
            case Act.OutcomeUnknown:
                throw new OutcomeUnknownException();
            case Act.WaitForCancellation:
                await WaitAsync(context.RequestAborted);
                await AnswerAsync(context, plan, index, run);
                break;
            case Act.Conflict:
                response.StatusCode = StatusCodes.Status409Conflict;
                await AnswerAsync(context, plan, index, run);
                break;
            case Act.MarksItself:
                response.Headers["X-Base-Not-Executed"] = "1";
                await AnswerAsync(context, plan, index, run);
                break;
            default:
                await AnswerAsync(context, plan, index, run);
                break;
        }
    }

    private async Task AnswerAsync(HttpContext context, RequestPlan plan, int index, Run run)
    {
        var response = context.Response;
        Sign(response, plan, run);
        response.ContentType = "text/plain";
        if (plan.Method == "GET")
        {
            response.Headers.CacheControl = "public, max-age=60";
        }

        if (plan.AnswerHasLength)
        {
            response.ContentLength = plan.AnswerLength;
        }

        var pieces = Math.Max(1, Math.Min(plan.AnswerPieces, plan.AnswerLength));
        var broken = plan.Act == Act.StartThenThrow;
        var from = 0;
        for (var i = 1; i <= pieces; i++)
        {
            var to = (int)((long)plan.AnswerLength * i / pieces) - (broken && i == pieces ? 1 : 0);
            await AnswerWriter.WriteAsync(response, plan.Writing, Noise.Slice(plan.AnswerOffset + from, to - from));
            from = to;
            if (plan.Flushes || (i == pieces && (broken || _buffered)))
            {
                await response.BodyWriter.FlushAsync();
            }

            await timeline.ReachAsync(index, Moment.AnswerStarted);
        }

        if (broken)
        {
            throw new InvalidOperationException("In the middle of the answer.");
        }
    }

    private static void Sign(HttpResponse response, RequestPlan plan, Run run) =>
        response.Headers[CaseHeaders.Answer] = string.Create(
            CultureInfo.InvariantCulture, $"{plan.Id} {run.Number} {plan.AnswerOffset} {plan.AnswerLength}");

    private static async Task WaitAsync(CancellationToken cancelled)
    {
        try
        {
            await new TaskCompletionSource().Task.WaitAsync(_patience, cancelled);
        }
        catch (TimeoutException)
        {
            // Nobody cancels it: an answer then, as from any other handler.
        }
    }

    private bool Refuses(RequestPlan plan, Run run) => plan.Refuses switch
    {
        Pipelines.Refuses.FirstRun => run.Number == 0,
        Pipelines.Refuses.OnFirstNode => run.Node == ledger.Of(plan.Id)[0].Node,
        _ => true,
    };

    private static Exception Refusal(Wrapping wrapping) => wrapping switch
    {
        Wrapping.Wrapped => new InvalidOperationException("The store refused.", new NotLeaderException()),
        Wrapping.Aggregate => new AggregateException(new NotLeaderException()),
        _ => new NotLeaderException(),
    };

    private static bool IsRefusal(Exception thrown) =>
        thrown is NotLeaderException
        || (thrown is AggregateException all && all.InnerExceptions.All(IsRefusal))
        || (thrown.InnerException is { } inner && IsRefusal(inner));
}
