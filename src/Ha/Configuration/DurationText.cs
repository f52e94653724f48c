using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Ha.Configuration;

/// <summary>
/// Durations as people write them in an environment variable: a number with a unit (<c>500ms</c>, <c>1.5s</c>,
/// <c>2m</c>, <c>1h</c>), <c>hh:mm:ss</c> with an optional fraction, or <c>0</c>.
/// </summary>
internal static class DurationText
{
    private const string Remedy = "write it like 500ms, 1.5s, 2m or 00:00:00.5";

    // "ms" stands before "m" and "s", whose last letter it shares.
    private static readonly (string Suffix, long Ticks)[] _units =
    [
        ("ms", TimeSpan.TicksPerMillisecond),
        ("s", TimeSpan.TicksPerSecond),
        ("m", TimeSpan.TicksPerMinute),
        ("h", TimeSpan.TicksPerHour),
    ];

    // TimeSpan.Parse is no help here: it reads "5" as five days and "24:00:00" as twenty-four.
    private static readonly string[] _clockFormats = [@"h\:mm\:ss", @"h\:mm\:ss\.FFFFFFF"];

    /// <param name="value">What a person wrote.</param>
    /// <param name="duration">The duration, never negative; zero on failure.</param>
    /// <param name="error">What is wrong and what to write instead, as a clause that follows the value.</param>
    public static bool TryParse(string? value, out TimeSpan duration, [NotNullWhen(false)] out string? error)
    {
        var text = value?.Trim() ?? "";
        error = Parse(text, out duration);
        return error is null;
    }

    /// <summary>The shortest spelling that <see cref="TryParse"/> reads back to the same duration.</summary>
    public static string Format(TimeSpan duration)
    {
        if (duration == TimeSpan.Zero)
        {
            return "0";
        }

        var size = duration.Duration();
        var unit = size < TimeSpan.FromSeconds(1) ? 0
            : size.Ticks % TimeSpan.TicksPerHour == 0 ? 3
            : size.Ticks % TimeSpan.TicksPerMinute == 0 ? 2
            : 1;
        var amount = (decimal)duration.Ticks / _units[unit].Ticks;
        return amount.ToString("0.#######", CultureInfo.InvariantCulture) + _units[unit].Suffix;
    }

    private static string? Parse(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (text.Length == 0)
        {
            return $"is empty; {Remedy}";
        }

        if (text[0] == '-')
        {
            return $"is negative; {Remedy}";
        }

        if (text.Contains(':', StringComparison.Ordinal))
        {
            return TimeSpan.TryParseExact(text, _clockFormats, CultureInfo.InvariantCulture, TimeSpanStyles.None, out duration)
                ? null
                : $"is not a time of the form hh:mm:ss; {Remedy}";
        }

        foreach (var (suffix, ticks) in _units)
        {
            if (text.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                return Scale(text.AsSpan(0, text.Length - suffix.Length).TrimEnd(), ticks, out duration);
            }
        }

        if (!decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var bare))
        {
            return $"is not a duration; {Remedy}";
        }

        return bare == 0 ? null : $"has no unit; write {text}ms or {text}s";
    }

    private static string? Scale(ReadOnlySpan<char> number, long ticksPerUnit, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (!decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount))
        {
            return $"is not a number with a unit; {Remedy}";
        }

        if (amount > (decimal)long.MaxValue / ticksPerUnit)
        {
            return $"is too long; {Remedy}";
        }

        // The election counts microseconds. Rounding a finer value to zero could turn "briefly" into "never".
        var ticks = amount * ticksPerUnit;
        if (ticks % TimeSpan.TicksPerMicrosecond != 0)
        {
            return "is finer than a microsecond; write a coarser value";
        }

        duration = TimeSpan.FromTicks((long)ticks);
        return null;
    }
}
