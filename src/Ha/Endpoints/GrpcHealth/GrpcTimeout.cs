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
            || NanosecondsPerUnit(header[^1]) is not { } nanoseconds)
        {
            return null;
        }

        // At most 3.6e20, beyond 64 bits. What is less than a tick is one: a time that is left is not over.
        var ticks = (((Int128)value * nanoseconds) + TimeSpan.NanosecondsPerTick - 1) / TimeSpan.NanosecondsPerTick;
        return ticks > _longest.Ticks ? null : TimeSpan.FromTicks((long)ticks);
    }

    private static long? NanosecondsPerUnit(char unit) => unit switch
    {
        'H' => 3_600_000_000_000,
        'M' => 60_000_000_000,
        'S' => 1_000_000_000,
        'm' => 1_000_000,
        'u' => 1_000,
        'n' => 1,
        _ => null,
    };
}
