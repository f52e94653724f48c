using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Ha.Tests.EfCore;

/// <summary>Does something when a command of a save has run.</summary>
internal sealed class AtSave : DbCommandInterceptor
{
    public Action After { get; init; } = static () => { };

    public override ValueTask<DbDataReader> ReaderExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default)
    {
        After();
        return ValueTask.FromResult(result);
    }
}
