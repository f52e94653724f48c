using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Ha.EntityFrameworkCore.Fencing;

/// <summary>Shows a context's commands to its fence.</summary>
internal sealed class FencedCommands(ContextFence fence) : DbCommandInterceptor
{
    public override InterceptionResult<DbDataReader> ReaderExecuting(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result)
    {
        if (!result.HasResult)
        {
            fence.BeforeReaderAsync(command, eventData, async: false, CancellationToken.None).GetAwaiter().GetResult();
        }

        return result;
    }

    public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        if (!result.HasResult)
        {
            await fence.BeforeReaderAsync(command, eventData, async: true, cancellationToken);
        }

        return result;
    }

    public override InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result) => result.HasResult
        ? result
        : fence.BeforeNonQueryAsync(command, eventData, result, async: false, CancellationToken.None).GetAwaiter().GetResult();

    public override async ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) => result.HasResult
        ? result
        : await fence.BeforeNonQueryAsync(command, eventData, result, async: true, cancellationToken);

    public override void CommandFailed(DbCommand command, CommandErrorEventData eventData) => fence.CommandFailed(command, eventData);

    public override Task CommandFailedAsync(DbCommand command, CommandErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        fence.CommandFailed(command, eventData);
        return Task.CompletedTask;
    }

    public override void CommandCanceled(DbCommand command, CommandEndEventData eventData) => fence.CommandCanceled(command, eventData.Context);

    public override Task CommandCanceledAsync(DbCommand command, CommandEndEventData eventData, CancellationToken cancellationToken = default)
    {
        fence.CommandCanceled(command, eventData.Context);
        return Task.CompletedTask;
    }

    public override InterceptionResult DataReaderClosing(DbCommand command, DataReaderClosingEventData eventData, InterceptionResult result)
    {
        fence.BeforeCloseAsync(command, eventData.DataReader, eventData.Context, async: false).GetAwaiter().GetResult();
        return result;
    }

    public override async ValueTask<InterceptionResult> DataReaderClosingAsync(
        DbCommand command, DataReaderClosingEventData eventData, InterceptionResult result)
    {
        await fence.BeforeCloseAsync(command, eventData.DataReader, eventData.Context, async: true);
        return result;
    }
}
