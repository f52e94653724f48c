namespace Ha.Leadership;

/// <summary>The election core's microseconds and a <see cref="TimeProvider"/>'s timestamps.</summary>
internal static class LeaseTime
{
    public static long NowMicros(this TimeProvider clock) => clock.GetElapsedTime(0, clock.GetTimestamp()).Ticks / TimeSpan.TicksPerMicrosecond;

    public static long WallMicros(this TimeProvider clock) =>
        (clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>The timestamp at which <see cref="NowMicros"/> reaches <paramref name="micros"/>; 0 for long ago.</summary>
    public static long TimestampAt(this TimeProvider clock, long micros) =>
        micros <= 0 ? 0 : (long)((Int128)micros * clock.TimestampFrequency / 1_000_000);

    public static long ToMicros(this TimeSpan span) => span.Ticks / TimeSpan.TicksPerMicrosecond;

    public static TimeSpan FromMicros(long micros) => new(micros * TimeSpan.TicksPerMicrosecond);
}
