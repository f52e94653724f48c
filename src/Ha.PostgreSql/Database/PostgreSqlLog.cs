using Microsoft.Extensions.Logging;

namespace Ha.PostgreSql.Database;

/// <summary>Event ids are stable and listed in docs/stores/postgresql.md. A number is never used again.</summary>
internal static partial class PostgreSqlLog
{
    [LoggerMessage(1, LogLevel.Information, "LISTEN does not get through to {Store}, so changes are seen by polling: {Why}.")]
    public static partial void ListenImpossible(this ILogger logger, string store, string why);

    [LoggerMessage(2, LogLevel.Debug, "Listening at {Store} ended and begins anew: {Why}")]
    public static partial void ListenBroke(this ILogger logger, string store, string why);

    [LoggerMessage(3, LogLevel.Information, "Table {Table} was created at {Store}.")]
    public static partial void TableCreated(this ILogger logger, string table, string store);
}
