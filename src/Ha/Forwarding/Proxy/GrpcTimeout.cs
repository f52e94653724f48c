using System.Globalization;

namespace Ha.Forwarding.Proxy;

/// <summary>
/// The header <c>grpc-timeout</c>: how long a call may take, counted from its arrival. One that has waited on this node has less
/// left at the next.
/// </summary>
internal static class GrpcTimeout
{
    public const string Header = "grpc-timeout";

    private const int MostDigits = 8;
    private const long MostValue = 99_999_999;

    // From the finest on.
    private static readonly (char Unit, long Ticks)[] _units =
    [
        ('u', TimeSpan.TicksPerMicrosecond),
        ('m', TimeSpan.TicksPerMillisecond),
        ('S', TimeSpan.TicksPerSecond),
        ('M', TimeSpan.TicksPerMinute),
        ('H', TimeSpan.TicksPerHour),
    ];

    /// <param name="timeout">As the client has stated it.</param>
    /// <param name="waited">For how long the call has been here.</param>
    /// <returns>The same text where it did not wait for a millisecond, or where it is none; the shortest there is where nothing is left.</returns>
    public static string Less(string timeout, TimeSpan waited)
    {
        if (waited < TimeSpan.FromMilliseconds(1) || Read(timeout) is not { } whole)
        {
            return timeout;
        }

        var left = whole - waited;
        foreach (var (unit, ticks) in _units)
        {
            if (left.Ticks / ticks is var count and <= MostValue)
            {
                return count > 0 ? string.Create(CultureInfo.InvariantCulture, $"{count}{unit}") : "1n";
            }
        }

        return timeout;
    }

    private static TimeSpan? Read(string timeout)
    {
        if (timeout.Length is < 2 or > MostDigits + 1
            || !long.TryParse(timeout.AsSpan(..^1), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
        {
            return null;
        }

        if (timeout[^1] == 'n')
        {
            return TimeSpan.FromTicks(count / TimeSpan.NanosecondsPerTick);
        }

        foreach (var (unit, ticks) in _units)
        {
            if (unit == timeout[^1])
            {
                return TimeSpan.FromTicks(count * ticks);
            }
        }

        return null;
    }
}
