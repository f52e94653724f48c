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
            || TicksPerUnit(header[^1]) is not { } ticks)
        {
            return null;
        }

        var timeout = TimeSpan.FromTicks(value * ticks);
        return timeout > _longest ? null : timeout;
    }

    private static long? TicksPerUnit(char unit) => unit switch
    {
        'H' => TimeSpan.TicksPerHour,
        'M' => TimeSpan.TicksPerMinute,
        'S' => TimeSpan.TicksPerSecond,
        'm' => TimeSpan.TicksPerMillisecond,
        'u' => TimeSpan.TicksPerMicrosecond,

        // Below what a tick can tell: over at once.
        'n' => 0,
        _ => null,
    };
}
