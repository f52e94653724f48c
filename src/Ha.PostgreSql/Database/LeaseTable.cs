using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Ha.PostgreSql.Database;

/// <summary>
/// The table and the statements on it. The row without node and incarnation is the lease of its cluster, the others are members.
/// Immutable.
/// </summary>
/// <remarks>
/// Each statement is a transaction of its own and leaves no state in the session, so that a pooler may run it anywhere.
/// All parts of a statement see the rows as they were when it began, also those that it changes.
/// A version is the stamp that the writer made up, and the number of the transaction that wrote the row. The stamp is unique over
/// deletion, restore and wrap-around; the number changes when somebody edits the row by hand and leaves the stamp.
/// </remarks>
internal sealed class LeaseTable
{
    private const string Version = "coalesce(lease.version::text, '') || '.' || lease.xmin::text";

    // Between now and a day ago: an infinite time, which somebody wrote by hand, has no difference to anything, and would fail each
    // statement that meets it.
    private const string Age = "clock_timestamp() - greatest(least(written_at, clock_timestamp()), clock_timestamp() - interval '1 day')";

    private const string Columns =
        $"node, incarnation, url, target, eligible, (extract(epoch FROM {Age}) * 1000000)::bigint, " +
        $"{Version}, holder, holder_incarnation, epoch, lease_micros, successor";

    // Nobody relies on a member's row, so no answer waits for a disk because of it.
    private const string Relaxed = "set_config('synchronous_commit', 'off', true)";

    // A lease that the server forgets after it was granted is granted twice. Whoever chose another level keeps it.
    private const string Durable =
        "set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true)";

    private readonly string _keyText;

    /// <exception cref="ArgumentException">A name is none that needs no thought.</exception>
    public LeaseTable(string schema, string table)
    {
        Check(schema, nameof(PostgreSqlLeaseOptions.Schema));
        Check(table, nameof(PostgreSqlLeaseOptions.Table));
        _keyText = $"ha lease {schema}.{table}";
        Name = $"{schema}.{table}";
        var quoted = $"\"{schema}\".\"{table}\"";
        Quoted = quoted;
        Create = $"""
            CREATE TABLE IF NOT EXISTS {quoted} (
                cluster text NOT NULL,
                node text NOT NULL,
                incarnation text NOT NULL,
                written_at timestamptz NOT NULL,
                url text NOT NULL,
                target text NOT NULL,
                eligible boolean NOT NULL DEFAULT false,
                version uuid,
                holder text,
                holder_incarnation text NOT NULL DEFAULT '',
                epoch bigint NOT NULL DEFAULT 0,
                lease_micros bigint NOT NULL DEFAULT 0,
                successor text,
                PRIMARY KEY (cluster, node, incarnation)
            ) WITH (fillfactor = 50)
            """;
        Read = $"""
            WITH noted AS ({Note(quoted, Relaxed)})
            SELECT {Columns} FROM {quoted} AS lease WHERE cluster = $1 ORDER BY node, incarnation
            """;
        Insert = Write(quoted, $"""
            INSERT INTO {quoted} AS lease (cluster, node, incarnation, written_at, url, target,
                version, holder, holder_incarnation, epoch, lease_micros, successor)
            VALUES ($1, '', '', clock_timestamp(), $13, $14, $8, $9, $10, $11, $12, $15)
            ON CONFLICT (cluster, node, incarnation) DO NOTHING
            """);
        Replace = Write(quoted, $"""
            UPDATE {quoted} AS lease SET written_at = clock_timestamp(), url = $13, target = $14,
                version = $8, holder = $9, holder_incarnation = $10, epoch = $11, lease_micros = $12, successor = $15
            WHERE cluster = $1 AND node = '' AND incarnation = '' AND {Version} = $17
            """);
        Leave = $"DELETE FROM {quoted} WHERE cluster = $1 AND node = $2 AND node <> '' AND incarnation = $3";
    }

    /// <summary>For people.</summary>
    public string Name { get; }

    /// <summary>For SQL.</summary>
    public string Quoted { get; }

    public string Create { get; }

    /// <summary>$1 cluster, $2 node, $3 incarnation, $4 url, $5 target, $6 eligible.</summary>
    public string Read { get; }

    /// <summary>
    /// Where there is no lease. As <see cref="Read"/>, and $7 channel, $8 stamp, $9 holder, $10 its incarnation, $11 epoch,
    /// $12 microseconds, $13 its url, $14 its target, $15 successor, $16 seconds until a silent member is forgotten.
    /// </summary>
    public string Insert { get; }

    /// <summary>As <see cref="Insert"/>, and $17 the version that is expected.</summary>
    public string Replace { get; }

    /// <summary>$1 cluster, $2 node, $3 incarnation.</summary>
    public string Leave { get; }

    /// <summary>Those who would create the table queue at this lock.</summary>
    public long LockKey => BinaryPrimitives.ReadInt64BigEndian(Hash(_keyText));

    /// <summary>A name no longer than the server keeps.</summary>
    public string ChannelOf(string clusterId) => $"ha_lease_{Convert.ToHexStringLower(Hash($"{_keyText} {clusterId}").AsSpan(0, 16))}";

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    private static string Note(string table, string commit) => $"""
        INSERT INTO {table} (cluster, node, incarnation, written_at, url, target, eligible)
        SELECT $1, $2, $3, clock_timestamp(), $4, $5, $6 FROM {commit}
        ON CONFLICT (cluster, node, incarnation) DO UPDATE SET written_at = EXCLUDED.written_at, url = EXCLUDED.url,
            target = EXCLUDED.target, eligible = EXCLUDED.eligible
        """;

    // The one row that is always there carries the outcome, also where the cluster has no rows yet. The lease is locked before
    // the member in every such statement, and who sweeps waits for nobody: no two can wait for each other.
    private static string Write(string table, string change) => $"""
        WITH written AS ({change} RETURNING {Version} AS now),
        noted AS ({Note(table, Durable)}),
        swept AS (DELETE FROM {table} WHERE (cluster, node, incarnation) IN (
            SELECT cluster, node, incarnation FROM {table}
            WHERE cluster = $1 AND node <> '' AND incarnation <> $3 AND written_at < clock_timestamp() - $16 * interval '1 second'
            FOR UPDATE SKIP LOCKED))
        SELECT {Columns}, won
        FROM (SELECT (SELECT now || pg_notify($7, '')::text FROM written) AS won) AS outcome LEFT JOIN {table} AS lease ON cluster = $1
        ORDER BY node, incarnation
        """;

    private static void Check(string name, string option)
    {
        if (name is not { Length: > 0 and <= 63 } || char.IsAsciiDigit(name[0]) ||
            !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_'))
        {
            throw new ArgumentException(
                $"{option} ({name}) must be 1 to 63 lower-case letters, digits and underscores, and not begin with a digit.", option);
        }
    }
}
