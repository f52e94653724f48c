using Ha.Election;
using Ha.Http;

namespace Ha.Leases;

/// <summary>What the record in the store means for somebody who would lead.</summary>
internal enum LeaseState
{
    /// <summary>The store has not answered yet.</summary>
    Unseen,

    /// <summary>There is no record: perhaps there was one a moment ago.</summary>
    Absent,

    /// <summary>Nobody holds the lease, but somebody may still: whoever held what was there before.</summary>
    Vacant,

    /// <summary>Its last holder let go of it.</summary>
    Released,

    Held,

    /// <summary>No member writes such a record.</summary>
    Nonsense,
}

/// <summary>One version of the record, or its absence, from the first answer that showed it. Immutable.</summary>
/// <param name="State">What it means.</param>
/// <param name="Version">Null where there is no record.</param>
/// <param name="Record">What it said; null where there is none, or it made no sense.</param>
/// <param name="Since">When the answer that showed it first was received.</param>
/// <param name="WaitMicros">After so long without a change nobody leads by it, nor by what was there before.</param>
/// <param name="Mine">This very process wrote it, to hold the lease.</param>
/// <param name="Jitter">This node's share of the time over which claims are spread; 0 to 1.</param>
internal readonly record struct Sighting(
    LeaseState State, string? Version, LeaseRecord? Record, long Since, long WaitMicros, bool Mine, double Jitter)
{
    private static readonly TimeSpan _longest = TimeSpan.FromHours(1);

    /// <summary>
    /// A release says zero for how long it lasts. Who only strikes out the holder's name, by hand, says nothing about how
    /// long that holder still believes in its lease.
    /// </summary>
    public static LeaseState StateOf(LeaseRecord? record)
    {
        if (record is null)
        {
            return LeaseState.Absent;
        }

        if (WhyNonsense(record) is not null)
        {
            return LeaseState.Nonsense;
        }

        return record.HolderId is not null ? LeaseState.Held
            : record.Duration == TimeSpan.Zero ? LeaseState.Released : LeaseState.Vacant;
    }

    /// <summary>Null where the record is one that a member could have written.</summary>
    public static string? WhyNonsense(LeaseRecord record) => record switch
    {
        { Epoch: <= 0 or >= ElectionCore.MaxEpoch } => $"its epoch is {record.Epoch}",
        { HolderId: { } holder } when string.IsNullOrWhiteSpace(holder) => "its holder has no name",
        { HolderId: not null } when record.Duration <= TimeSpan.Zero => $"it lasts {record.Duration}",
        _ when record.Duration < TimeSpan.Zero || record.Duration > _longest => $"it lasts {record.Duration}",
        _ when !Guid.TryParseExact(record.Incarnation, "N", out _) => "its incarnation is not 32 hexadecimal digits",
        _ when !IsUrl(record.Url) || !IsUrl(record.Target) => "its URLs are none",
        _ => null,
    };

    private static bool IsUrl(string? url) => url is "" || (url is not null && TargetUrl.IsNormalised(url));
}
