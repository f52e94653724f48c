namespace Ha.Security;

/// <summary>
/// Keeps one instance of what is dear to make and serves one thread at a time: making a hash, and for an HMAC taking the
/// key in, costs as much as hashing a heartbeat. Whoever comes while it is in use makes one for the occasion. Thread-safe.
/// </summary>
internal sealed class KeptInstance<T>(Func<T> create)
    where T : class, IDisposable
{
    private T? _idle;

    public T Take() => Interlocked.Exchange(ref _idle, null) ?? create();

    /// <summary>Only what <see cref="Take"/> gave, and only when it can be used again.</summary>
    public void Return(T instance)
    {
        if (Interlocked.CompareExchange(ref _idle, instance, null) is not null)
        {
            instance.Dispose();
        }
    }
}
