using Npgsql;

namespace Ha.PostgreSql.Database;

/// <summary>A cluster's rows as one statement saw them, before its own changes.</summary>
internal sealed class LeaseRows
{
    private const long MostMicros = long.MaxValue / TimeSpan.TicksPerMicrosecond;

    private readonly List<LeaseMember> _members = [];
    private LeaseRecord? _record;
    private TimeSpan _age;

    /// <summary>The version that was there; null: there was no lease.</summary>
    public string? Version { get; private set; }

    /// <summary>The version that this statement wrote; null: it wrote none.</summary>
    public string? Won { get; private set; }

    public static async Task<LeaseRows> ReadAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        var rows = new LeaseRows();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Take(reader);
        }

        // The server commits after the last row. Only past this line has it said that it did.
        while (await reader.NextResultAsync(cancellationToken))
        {
        }

        return rows;
    }

    /// <param name="self">The member that asked: now, whatever its row said before.</param>
    /// <param name="written">What the statement was to write; null: nothing.</param>
    public LeaseAnswer Answer(LeaseMember self, LeaseRecord? written)
    {
        _members.RemoveAll(m => m.NodeId == self.NodeId && m.Incarnation == self.Incarnation);
        _members.Add(self with { Age = TimeSpan.Zero });
        return Won is null
            ? new LeaseAnswer { Written = false, Record = _record, Version = Version, Age = _record is null ? null : _age, Members = _members }
            : new LeaseAnswer { Written = true, Record = written, Version = Won, Age = TimeSpan.Zero, Members = _members };
    }

    /// <summary>As it stands there, also what no member writes: whoever reads it must see that it makes no sense.</summary>
    private static TimeSpan Duration(long micros) =>
        TimeSpan.FromTicks(Math.Clamp(micros, -MostMicros, MostMicros) * TimeSpan.TicksPerMicrosecond);

    private void Take(NpgsqlDataReader row)
    {
        Won = row.FieldCount > 12 && !row.IsDBNull(12) ? row.GetString(12) : null;
        if (row.IsDBNull(0))
        {
            return;
        }

        var (id, incarnation, url, target) = (row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(3));
        var age = TimeSpan.FromMicroseconds(Math.Max(row.GetInt64(5), 0));
        if (id.Length > 0)
        {
            _members.Add(new LeaseMember
            {
                NodeId = id,
                Incarnation = incarnation,
                Url = url,
                Target = target,
                Eligible = row.GetBoolean(4),
                Age = age,
            });
            return;
        }

        if (incarnation.Length > 0)
        {
            // Nobody writes such a row but by hand.
            return;
        }

        (Version, _age) = (row.GetString(6), age);
        _record = new LeaseRecord
        {
            HolderId = row.IsDBNull(7) ? null : row.GetString(7),
            Incarnation = row.GetString(8),
            Epoch = row.GetInt64(9),
            Duration = Duration(row.GetInt64(10)),
            Url = url,
            Target = target,
            Successor = row.IsDBNull(11) ? null : row.GetString(11),
        };
    }
}
