using Microsoft.Extensions.Logging;

namespace Ha.EntityFrameworkCore.Migrating;

internal static partial class MigratingLog
{
    [LoggerMessage(1, LogLevel.Information, "Ran {Count} migrations of {Context}, up to {Last}.")]
    public static partial void Migrated(this ILogger logger, string context, int count, string last);

    [LoggerMessage(2, LogLevel.Warning, "The migrations of {Context} are not done after {Patience} more: another node is migrating, or one that " +
        "was killed has left its lock behind (SQLite: DELETE FROM __EFMigrationsLock).")]
    public static partial void StillMigrating(this ILogger logger, string context, TimeSpan patience);
}
