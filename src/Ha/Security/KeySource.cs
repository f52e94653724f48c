namespace Ha.Security;

/// <summary>
/// The ring in use. Whoever answers one message reads it once, so that a swap in between cannot make half a message.
/// Thread-safe.
/// </summary>
internal sealed class KeySource(KeyRing initial)
{
    private KeyRing _current = initial;

    public KeyRing Current
    {
        get => Volatile.Read(ref _current);
        set => Volatile.Write(ref _current, value);
    }
}
