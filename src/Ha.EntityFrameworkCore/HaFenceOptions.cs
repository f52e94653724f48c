namespace Ha.EntityFrameworkCore;

/// <summary>Settings of <c>UseHaFence</c>. Not thread-safe; read once.</summary>
public sealed class HaFenceOptions
{
    /// <value>The fence's table, as it is; case counts. Default <see cref="HaFence.DefaultTable"/>.</value>
    /// <exception cref="ArgumentException">It is empty.</exception>
    public string Table
    {
        get;
        set
        {
            ArgumentException.ThrowIfNullOrEmpty(value);
            field = value;
        }
    }
    = HaFence.DefaultTable;

    /// <value>The table's schema. Default null: the model's.</value>
    /// <exception cref="ArgumentException">It is empty.</exception>
    public string? Schema
    {
        get;
        set
        {
            if (value is not null)
            {
                ArgumentException.ThrowIfNullOrEmpty(value);
            }

            field = value;
        }
    }

    /// <value>
    /// The table, in the same schema, for the answers that <c>UseHaIdempotency</c> keeps, as it is. Null: none, for a context that
    /// is not used with it. Default <c>ha_answers</c>.
    /// </value>
    /// <exception cref="ArgumentException">It is empty.</exception>
    public string? AnswersTable
    {
        get;
        set
        {
            if (value is not null)
            {
                ArgumentException.ThrowIfNullOrEmpty(value);
            }

            field = value;
        }
    }
    = Idempotency.AnswersTable.DefaultName;

    /// <value>
    /// Whether this context's migrations and <c>EnsureCreated</c> make the tables. Default true; false for all but one of the
    /// contexts that share a database.
    /// </value>
    public bool OwnsTable { get; set; } = true;

    /// <value>
    /// PostgreSQL: for how long the server lets a transaction behind the fence stand idle before it rolls back (25P03), and by that
    /// how long a paused leader can hold up its successor. From 1 ms; infinite: as the session is set. Default 2 s.
    /// </value>
    /// <exception cref="ArgumentOutOfRangeException">It is shorter.</exception>
    public TimeSpan IdleLimit
    {
        get;
        set
        {
            if (value != Timeout.InfiniteTimeSpan)
            {
                ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.FromMilliseconds(1));
            }

            field = value;
        }
    }
    = TimeSpan.FromSeconds(2);

    /// <value>What a write meets that no leadership is in scope of. Default <see cref="OutsideLeadership.TakePart"/>.</value>
    public OutsideLeadership OutsideLeadership { get; set; }
}
