namespace Ha.Leases;

/// <summary>What the core wants asked of the store. Immutable.</summary>
/// <param name="Id">Goes back with the answer or the failure.</param>
/// <param name="Self">This member as the store is to note it.</param>
/// <param name="Write">The record to write; null: only read.</param>
/// <param name="Expected">The version that <paramref name="Write"/> may replace; null: there must be no record.</param>
internal sealed record StoreCall(long Id, LeaseMember Self, LeaseRecord? Write, string? Expected);
