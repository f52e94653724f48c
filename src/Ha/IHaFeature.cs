namespace Ha;

/// <summary>
/// The right to write, on <c>HttpContext.Features</c> of every write that was admitted on the leader. Safe to use
/// from any thread until the request ends.
/// </summary>
public interface IHaFeature
{
    /// <summary>
    /// The epoch the write was admitted in: the fencing token. Put it into the write's own transaction
    /// (<c>UPDATE fence SET epoch = @e WHERE epoch &lt;= @e</c>, zero rows: throw <see cref="NotLeaderException"/>).
    /// </summary>
    long Epoch { get; }

    /// <summary>Fires when the leadership that admitted the write has ended.</summary>
    CancellationToken LeaseLost { get; }

    /// <summary>
    /// Call it right before the commit. Passes when the leadership that admitted the write is unbroken and its
    /// lease good for at least the commit guard more, which is the larger of 15 ms and a twentieth of the lease.
    /// </summary>
    /// <exception cref="NotLeaderException">It is not. Let it through to the middleware.</exception>
    void EnsureStillLeader();
}
