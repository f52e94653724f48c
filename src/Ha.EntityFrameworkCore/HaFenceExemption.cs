namespace Ha.EntityFrameworkCore;

/// <summary>
/// Lets a piece of code write past the fence: seeding, a repair. Nothing then keeps two nodes from doing so at once, or a node from
/// doing so late. Flows with <c>async</c> calls and started tasks, and ends for all of them at once; thread-safe.
/// </summary>
public static class HaFenceExemption
{
    private static readonly AsyncLocal<Scope?> _current = new();

    internal static bool IsInForce => _current.Value?.IsInForce == true;

    /// <summary>Begins it, for what is called from here until the result is disposed of.</summary>
    public static IDisposable Begin()
    {
        var scope = new Scope(_current.Value);
        _current.Value = scope;
        return scope;
    }

    private sealed class Scope(Scope? outer) : IDisposable
    {
        private volatile bool _ended;

        public bool IsInForce => !_ended || outer?.IsInForce == true;

        /// <summary>Also for what was started inside and still runs: it keeps this object.</summary>
        public void Dispose()
        {
            _ended = true;
            _current.Value = outer;
        }
    }
}
