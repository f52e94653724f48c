using System.Data.Common;

namespace MinimalApiApp.Notes;

internal static class NotesSchema
{
    /// <summary>Creates what is missing. Safe when several nodes start at once; takes no lock when everything is there.</summary>
    public static async Task CreateAsync(SqlDialect sql, CancellationToken cancellationToken)
    {
        await using var connection = await sql.Source.OpenConnectionAsync(cancellationToken);
        if (sql.Prepare.Length > 0)
        {
            await connection.Command(sql.Prepare).ExecuteAsync(cancellationToken);
        }

        if (await IsThereAsync(sql, connection, cancellationToken))
        {
            return;
        }

        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var tables = connection.Command($"""
            {sql.LockSchema};
            CREATE TABLE IF NOT EXISTS notes (id {sql.AscendingId}, text TEXT NOT NULL, node TEXT NOT NULL, epoch BIGINT NOT NULL);
            CREATE TABLE IF NOT EXISTS uploads (id {sql.AscendingId}, bytes BIGINT NOT NULL, sha256 TEXT NOT NULL, node TEXT NOT NULL, epoch BIGINT NOT NULL);
            CREATE TABLE IF NOT EXISTS heartbeats (id {sql.AscendingId}, at BIGINT NOT NULL, node TEXT NOT NULL, epoch BIGINT NOT NULL);
            CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT, location TEXT, at BIGINT NOT NULL);
            CREATE INDEX IF NOT EXISTS answers_at ON answers (at);
            """);
        tables.Transaction = transaction;
        await tables.ExecuteAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);

        // Last: where it is, the others are.
        await sql.Fence.CreateAsync(sql.Source, cancellationToken);
    }

    private static async Task<bool> IsThereAsync(SqlDialect sql, DbConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            return await connection.Command("SELECT epoch FROM fence").QueryAsync(row => row.GetInt64(0), cancellationToken) is not [];
        }
        catch (DbException e) when (!sql.IsBusy(e))
        {
            return false;
        }
    }
}
