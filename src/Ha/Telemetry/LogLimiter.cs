using System.Globalization;
using System.Runtime.InteropServices;

namespace Ha.Telemetry;

/// <summary>
/// Lets one report per cause and interval through and counts the rest: a misconfigured peer beats twice a second
/// and must not fill a disk. Thread-safe.
/// </summary>
internal sealed class LogLimiter(TimeProvider clock, TimeSpan interval)
{
    /// <summary>Causes remembered at once; those beyond share one place.</summary>
    public const int MaxCauses = 256;

    private const string Others = "";

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _causes = new(StringComparer.Ordinal);

    /// <param name="cause">What the report is about.</param>
    /// <param name="suppressed">How many reports of this cause were swallowed since the last one that passed.</param>
    /// <returns>True when the report should be written.</returns>
    public bool Passes(string cause, out int suppressed)
    {
        var now = clock.GetTimestamp();
        lock (_lock)
        {
            if (!_causes.ContainsKey(cause) && _causes.Count >= MaxCauses)
            {
                cause = Others;
            }

            var known = _causes.TryGetValue(cause, out var entry);
            if (known && clock.GetElapsedTime(entry.PassedAt, now) < interval)
            {
                _causes[cause] = entry with { Suppressed = entry.Suppressed + 1 };
                suppressed = 0;
                return false;
            }

            suppressed = entry.Suppressed;
            _causes[cause] = new Entry(now, 0);
            return true;
        }
    }

    /// <summary>Ends a report that passed.</summary>
    /// <param name="suppressed">As <see cref="Passes"/> says.</param>
    public static string LeftOut(int suppressed) =>
        suppressed == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" {suppressed} more like it were left out.");

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Entry(long PassedAt, int Suppressed);
}
