using Dapper;

namespace MinimalApiApp.Notes;

internal static class NotesSchema
{
    /// <summary>Creates what is missing. Safe when several nodes start at once; takes no lock when everything is there.</summary>
    public static async Task CreateAsync(NotesDatabase database, CancellationToken cancellationToken)
    {
        var sql = database.Sql;
        await using var connection = await database.OpenAsync(cancellationToken);
        if (sql.Prepare.Length > 0)
        {
            await connection.ExecuteAsync(sql.Prepare);
        }

        if (await IsThereAsync(database, cancellationToken))
        {
            return;
        }

        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync($"""
            {sql.LockSchema};
            CREATE TABLE IF NOT EXISTS fence (id INTEGER PRIMARY KEY CHECK (id = 1), epoch BIGINT NOT NULL);
            CREATE TABLE IF NOT EXISTS notes (id {sql.AscendingId}, text TEXT NOT NULL, node TEXT NOT NULL, epoch BIGINT NOT NULL);
            CREATE TABLE IF NOT EXISTS uploads (id {sql.AscendingId}, bytes BIGINT NOT NULL, sha256 TEXT NOT NULL, node TEXT NOT NULL, epoch BIGINT NOT NULL);
            CREATE TABLE IF NOT EXISTS heartbeats (id {sql.AscendingId}, at BIGINT NOT NULL, node TEXT NOT NULL, epoch BIGINT NOT NULL);
            CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT, location TEXT, at BIGINT NOT NULL);
            CREATE INDEX IF NOT EXISTS answers_at ON answers (at);
            INSERT INTO fence (id, epoch) VALUES (1, 0) ON CONFLICT DO NOTHING;
            """, transaction: transaction);
        await transaction.CommitAsync(cancellationToken);
    }

    private static async Task<bool> IsThereAsync(NotesDatabase database, CancellationToken cancellationToken)
    {
        try
        {
            await database.ReadFenceAsync(cancellationToken);
            return true;
        }
        catch (System.Data.Common.DbException e) when (!database.Sql.IsBusy(e))
        {
            return false;
        }
    }
}
