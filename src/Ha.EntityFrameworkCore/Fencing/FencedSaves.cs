using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Ha.EntityFrameworkCore.Fencing;

/// <summary>Shows a context's saves to its fence, and lets out of them what the fence has said, not wrapped by EF.</summary>
internal sealed class FencedSaves(ContextFence fence) : SaveChangesInterceptor
{
    public override InterceptionResult<int> SavingChanges(DbContextEventData eventData, InterceptionResult<int> result)
    {
        fence.BeginSaving(eventData.Context!);
        return result;
    }

    public override ValueTask<InterceptionResult<int>> SavingChangesAsync(
        DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(SavingChanges(eventData, result));

    public override void SaveChangesFailed(DbContextErrorEventData eventData) => fence.ExplainSaving(eventData.Exception, eventData.Context!);

    public override Task SaveChangesFailedAsync(DbContextErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        SaveChangesFailed(eventData);
        return Task.CompletedTask;
    }

    public override void SaveChangesCanceled(DbContextEventData eventData) => fence.ExplainSaving(failure: null, eventData.Context!);

    public override Task SaveChangesCanceledAsync(DbContextEventData eventData, CancellationToken cancellationToken = default)
    {
        SaveChangesCanceled(eventData);
        return Task.CompletedTask;
    }
}
