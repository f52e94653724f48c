using System.Security.Cryptography;

namespace Ha.Signing;

/// <summary>
/// Computes SHA-256 or an HMAC of it with an instance that is kept: making one, and for an HMAC taking the key in, costs
/// as much as hashing a heartbeat. Whoever comes while it is in use makes one for the occasion. Thread-safe.
/// </summary>
internal sealed class HashPool(Func<IncrementalHash> create)
{
    private IncrementalHash? _idle;

    /// <param name="data">What to hash.</param>
    /// <param name="hash">32 bytes.</param>
    public void Compute(ReadOnlySpan<byte> data, Span<byte> hash)
    {
        var instance = Interlocked.Exchange(ref _idle, null) ?? create();
        instance.AppendData(data);
        instance.GetHashAndReset(hash);
        if (Interlocked.CompareExchange(ref _idle, instance, null) is not null)
        {
            instance.Dispose();
        }
    }
}
