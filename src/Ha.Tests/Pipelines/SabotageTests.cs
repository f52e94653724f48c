using Ha.Forwarding.Local;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Pipelines;

/// <summary>The checks are able to fail: each fault that is put in on purpose is found.</summary>
public sealed class SabotageTests
{
    private const int From = 1;
    private const int Seeds = 2000;

    [Fact]
    public Task A_mark_on_what_was_executed_is_found() => AssertFoundAsync(new FalseMark());

    [Fact]
    public Task A_second_run_is_found() => AssertFoundAsync(new SecondRun());

    [Fact]
    public Task A_lost_end_of_an_answer_is_found() => AssertFoundAsync(new LostEnd());

    private static async Task AssertFoundAsync(Sabotage sabotage)
    {
        var runs = new PipelineRuns { Sabotage = sabotage, MostFailures = 1 };

        await runs.RunAsync([.. Enumerable.Range(From, Seeds)]);

        Assert.NotEmpty(runs.Failed);
    }

    private sealed class FalseMark : Sabotage
    {
        public override RequestDelegate Around(PipelineNode node, RequestDelegate pipeline) => context =>
        {
            // Callbacks run last in, first out, so this one has the last word.
            context.Response.OnStarting(() =>
            {
                context.Response.Headers[HaHeaders.NotExecuted] = "1";
                return Task.CompletedTask;
            });
            return pipeline(context);
        };
    }

    private sealed class SecondRun : Sabotage
    {
        public override RequestDelegate Around(PipelineNode node, RequestDelegate pipeline) => async context =>
        {
            await pipeline(context);
            if (DecidedMark.Of(context) is not null)
            {
                context.Features.Set<DecidedMark>(null);
                await pipeline(context);
            }
        };
    }

    private sealed class LostEnd : Sabotage
    {
        public override RequestDelegate Around(PipelineNode node, RequestDelegate pipeline) => async context =>
        {
            var (body, kept) = (context.Response.Body, new MemoryStream());
            context.Response.Body = kept;
            try
            {
                await pipeline(context);
            }
            finally
            {
                context.Response.Body = body;
            }

            context.Response.Headers.Remove("Content-Length");
            await body.WriteAsync(kept.GetBuffer().AsMemory(0, (int)Math.Max(0, kept.Length - 1)));
        };
    }
}
