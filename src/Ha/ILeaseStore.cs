namespace Ha;

/// <summary>
/// A store that arbitrates: one record per cluster that members read and replace by compare-and-set. A leader by lease
/// decides everything else, on its own clock: when to renew, when a lease has run out, who may take it. A store never looks at
/// a clock to decide who holds the lease, and never expires a record by itself.
/// </summary>
/// <remarks>
/// At most one member leads wherever <see cref="TryWriteAsync"/> is linearizable (Herlihy and Wing, 1990). Implementations are
/// safe to use from any thread. Every method may throw anything when the store is away or refuses; only the outcome of that call
/// is then unknown, and it may still take effect later, or twice. <c>LeaseStoreConformance</c> in the package Ha.Testing is what
/// every store must pass.
/// </remarks>
public interface ILeaseStore : IAsyncDisposable
{
    /// <summary>What and where it is, for people: <c>PostgreSQL db:5432/shop, table ha_lease</c>. Never a secret.</summary>
    string Description { get; }

    /// <summary>Reads the record and, where the store keeps members, notes that <paramref name="self"/> is there.</summary>
    /// <param name="self">The member that asks.</param>
    /// <param name="cancellationToken">Fires when nobody waits for the answer any more.</param>
    /// <returns><see cref="LeaseAnswer.Written"/> is false.</returns>
    Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken);

    /// <summary>
    /// Replaces the record by <paramref name="record"/> in one atomic step if it still has <paramref name="expected"/>, and wakes
    /// those who wait in <see cref="WaitForChangeAsync"/>. If it has not, nothing is written: that is an answer, no exception.
    /// </summary>
    /// <param name="record">The whole of the new record.</param>
    /// <param name="expected">The version that was read; null: there is no record.</param>
    /// <param name="self">The member that asks; noted as by <see cref="ReadAsync"/>.</param>
    /// <param name="cancellationToken">Fires when nobody waits for the answer any more.</param>
    /// <returns>The record after this step, with <see cref="LeaseAnswer.Written"/>.</returns>
    Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken);

    /// <summary>
    /// Waits for the store to say that the record may have changed. It may say so too often, and a store that cannot say it
    /// never completes: members ask every third of a lease anyway. What happens between two calls may be missed.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired.</exception>
    Task WaitForChangeAsync(CancellationToken cancellationToken);

    /// <summary>Takes a member that ends out of the list, where the store keeps one. Not vital: a member that died never calls it.</summary>
    /// <param name="self">The member that ends.</param>
    /// <param name="cancellationToken">Fires when nobody waits any more.</param>
    Task LeaveAsync(LeaseMember self, CancellationToken cancellationToken);
}

/// <summary>What the store holds for a cluster. Immutable.</summary>
public sealed record LeaseRecord
{
    /// <summary>The holder's node id; null: nobody holds the lease.</summary>
    public required string? HolderId { get; init; }

    /// <summary>Tells two processes with one node id apart: 32 hexadecimal digits.</summary>
    public required string Incarnation { get; init; }

    /// <summary>The fencing token of the last leadership, kept over a release; from 1 to less than 2^53 − 2^40.</summary>
    public required long Epoch { get; init; }

    /// <summary>
    /// How long somebody may believe in the lease after this was written. Zero: nobody does, its holder let go of it, and it may be
    /// taken at once. A store keeps it as it is, zero included.
    /// </summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The holder's URL as clients reach it; empty: it has none.</summary>
    public string Url { get; init; } = "";

    /// <summary>The holder's URL as members reach it; empty: as clients.</summary>
    public string Target { get; init; } = "";

    /// <summary>Who should take a released lease first; null: anybody.</summary>
    public string? Successor { get; init; }
}

/// <summary>A member as it shows itself to the store. Immutable.</summary>
public sealed record LeaseMember
{
    /// <summary>The node id.</summary>
    public required string NodeId { get; init; }

    /// <summary>Tells two processes with one node id apart: 32 hexadecimal digits.</summary>
    public required string Incarnation { get; init; }

    /// <summary>The URL as clients reach it; empty: it has none.</summary>
    public string Url { get; init; } = "";

    /// <summary>The URL as members reach it; empty: as clients.</summary>
    public string Target { get; init; } = "";

    /// <summary>True when it could lead: it listens and is not about to end.</summary>
    public bool Eligible { get; init; }

    /// <summary>How long ago the store was told, by the store's clock. Of what a store gives back.</summary>
    public TimeSpan Age { get; init; }
}

/// <summary>What a store says of its record. Immutable.</summary>
public sealed record LeaseAnswer
{
    /// <summary>True when this very call replaced the record.</summary>
    public required bool Written { get; init; }

    /// <summary>The record now; null: there is none.</summary>
    public required LeaseRecord? Record { get; init; }

    /// <summary>
    /// Names this writing of the record and no other, ever: two writings of equal records differ in it. Null exactly where there
    /// is no record.
    /// </summary>
    public required string? Version { get; init; }

    /// <summary>
    /// How long ago the record was written, by the store's own clock in one look; null where it has none. Used to choose when to
    /// ask next, never to decide who holds the lease.
    /// </summary>
    public TimeSpan? Age { get; init; }

    /// <summary>The members that the store knows, self included; null where it keeps none. Those of long ago may be among them.</summary>
    public IReadOnlyList<LeaseMember>? Members { get; init; }
}

/// <summary>What a store is made from; see <see cref="HaOptions.LeaseStores"/>. Immutable.</summary>
/// <param name="Value">What follows the scheme and its colon in <see cref="HaOptions.LeaseStore"/>; may be empty. May hold a secret.</param>
/// <param name="ClusterId">Several clusters may share one store, each with a record of its own.</param>
/// <param name="Lease">The lease timeout; a call of the store that takes longer has no use.</param>
/// <param name="Services">The application's services; null: without dependency injection.</param>
public sealed record LeaseStoreContext(string Value, string ClusterId, TimeSpan Lease, IServiceProvider? Services);
