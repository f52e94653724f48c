using System.Globalization;

namespace Ha.Endpoints.GrpcHealth;

/// <summary>The request header <c>grpc-timeout</c>: at most eight digits and a unit.</summary>
internal static class GrpcTimeout
{
    private const int MaxDigits = 8;

    // What timers take; nobody waits for longer.
    private static readonly TimeSpan _longest = TimeSpan.FromDays(30);

    /// <returns>Null: no limit. A header that cannot be read sets none either, as in other servers.</returns>
    public static TimeSpan? Parse(string? header)
    {
        if (header is not { Length: > 1 and <= MaxDigits + 1 }
            || !long.TryParse(header.AsSpan(0, header.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            || Ticks(value, header[^1]) is not { } ticks)
        {
            return null;
        }

        return ticks > _longest.Ticks ? null : TimeSpan.FromTicks(ticks);
    }

    private static long? Ticks(long value, char unit) => unit switch
    {
        'H' => value * TimeSpan.TicksPerHour,
        'M' => value * TimeSpan.TicksPerMinute,
        'S' => value * TimeSpan.TicksPerSecond,
        'm' => value * TimeSpan.TicksPerMillisecond,
        'u' => value * TimeSpan.TicksPerMicrosecond,

        // What is less than a tick is one: a time that is left is not over.
        'n' => (value + TimeSpan.NanosecondsPerTick - 1) / TimeSpan.NanosecondsPerTick,
        _ => null,
    };
}
