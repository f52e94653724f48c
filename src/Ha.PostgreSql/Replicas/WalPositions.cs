using Ha.PostgreSql.Database;
using Npgsql;

namespace Ha.PostgreSql.Replicas;

/// <summary>
/// Positions in PostgreSQL's write-ahead log: where the primary inserts, and up to where a hot standby has replayed. Rights of any role do.
/// </summary>
internal sealed class WalPositions : ReadConsistency, IDisposable
{
    private const string Written =
        "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, current_setting('wal_block_size')::bigint, " +
        "pg_size_bytes(current_setting('wal_segment_size'))";

    // A node whose replica is the primary has all of it: there is nothing to replay there.
    private const string Reached =
        "SELECT pg_wal_lsn_diff(" +
        "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END, '0/0')::bigint";

    private readonly LeaseDatabase _primary;
    private readonly LeaseDatabase _replica;

    private WalPositions(LeaseDatabase primary, LeaseDatabase replica)
        : base(
            stop => new ValueTask<long>(primary.RunAsync(ReadWrittenAsync, stop)),
            stop => new ValueTask<long>(replica.RunAsync(ReadReachedAsync, stop))) =>
        (_primary, _replica) = (primary, replica);

    /// <summary>On small pools of its own.</summary>
    /// <param name="primary">A connection string.</param>
    /// <param name="replica">A connection string; null: this node reads from the primary.</param>
    /// <exception cref="ArgumentException">One cannot be read, or allows servers that it must not. Never shows a secret.</exception>
    public static WalPositions On(string primary, string? replica) =>
        On(ReplicaConnection.Primary(primary), replica is null ? null : ReplicaConnection.Replica(replica));

    /// <summary>On what <see cref="ReplicaConnection"/> has made of the two.</summary>
    public static WalPositions On(NpgsqlConnectionStringBuilder primary, NpgsqlConnectionStringBuilder? replica)
    {
        var database = On(primary);
        return new WalPositions(database, replica is null ? database : On(replica));

        static LeaseDatabase On(NpgsqlConnectionStringBuilder settings) =>
            new(() => LeaseDatabase.Source(settings, ReplicaConnection.Name));
    }

    public void Dispose()
    {
        _primary.Dispose();
        _replica.Dispose();
    }

    /// <summary>
    /// Where the last record ends that was inserted. The server says where the next one begins, which is after the header of a page or a
    /// segment where that lies between: an idle standby would never get there.
    /// </summary>
    /// <param name="next">What the server says.</param>
    /// <param name="page">Bytes of a page.</param>
    /// <param name="segment">Bytes of a segment, a multiple.</param>
    public static long EndOfLast(long next, long page, long segment)
    {
        // XLOG: 24 bytes, 40 on the first page of a segment, and no record ends inside.
        var header = next % segment < page ? 40 : 24;
        return next % page == header ? next - header : next;
    }

    private static async Task<long> ReadWrittenAsync(NpgsqlConnection primary, CancellationToken stop)
    {
        await using var command = new NpgsqlCommand(Written, primary);
        await using var rows = await command.ExecuteReaderAsync(stop);
        await rows.ReadAsync(stop);
        return EndOfLast(rows.GetInt64(0), rows.GetInt64(1), rows.GetInt64(2));
    }

    private static async Task<long> ReadReachedAsync(NpgsqlConnection replica, CancellationToken stop)
    {
        await using var command = new NpgsqlCommand(Reached, replica);
        return await command.ExecuteScalarAsync(stop) as long? ?? 0;
    }
}
