namespace Ha.EntityFrameworkCore;

/// <summary>
/// Lets a piece of code write past the fence: seeding, a repair. Nothing then keeps two nodes from doing so at once, or a node from
/// doing so late. Flows with <c>async</c> calls and started tasks; thread-safe.
/// </summary>
public static class HaFenceExemption
{
    private static readonly AsyncLocal<bool> _current = new();

    internal static bool IsInForce => _current.Value;

    /// <summary>Begins it, for what is called from here until the result is disposed of.</summary>
    public static IDisposable Begin()
    {
        var outer = _current.Value;
        _current.Value = true;
        return new Scope(outer);
    }

    private sealed class Scope(bool outer) : IDisposable
    {
        public void Dispose() => _current.Value = outer;
    }
}
