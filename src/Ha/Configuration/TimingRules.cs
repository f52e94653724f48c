using static Ha.Configuration.DurationText;

namespace Ha.Configuration;

/// <summary>Durations, and how they relate.</summary>
internal static class TimingRules
{
    /// <summary>Below this a scheduler's hiccup looks like a dead leader.</summary>
    public static readonly TimeSpan MinInterval = TimeSpan.FromMilliseconds(10);

    /// <summary>Nothing here is meant to take longer; a larger value is a mistaken unit.</summary>
    public static readonly TimeSpan Max = TimeSpan.FromHours(1);

    public static TimeSpan LeaseTimeout(HaOptions options) => options.LeaseTimeout ?? 3 * options.HeartbeatInterval;

    /// <summary>As long as the slowest handover and a failover after it take.</summary>
    public static TimeSpan WriteHold(HaOptions options) =>
        options.WriteHold ?? options.DrainTimeout + LeaseTimeout(options) + TimeSpan.FromSeconds(1);

    public static void Check(HaOptions options, List<string> problems)
    {
        var interval = options.HeartbeatInterval;
        if (interval < MinInterval)
        {
            problems.Add($"{HaKeys.HeartbeatInterval} ({Format(interval)}) must be at least {Format(MinInterval)}; leave it unset for 500ms.");
        }

        // Compared without multiplying, so that an absurd interval cannot overflow.
        if (options.LeaseTimeout is { } lease && interval > TimeSpan.Zero && interval > lease / 2)
        {
            var atLeast = interval < Max ? $"raise it to {Format(interval * 2)} or more" : "lower the interval";
            problems.Add(
                $"{HaKeys.LeaseTimeout} ({Format(lease)}) must be at least twice {HaKeys.HeartbeatInterval} ({Format(interval)}); " +
                $"{atLeast}, or leave it unset for three intervals.");
        }

        Limit(HaKeys.HeartbeatInterval, interval, problems);
        Limit(HaKeys.LeaseTimeout, options.LeaseTimeout, problems);
        Limit(HaKeys.WriteHold, options.WriteHold, problems);
        Limit(HaKeys.DrainTimeout, options.DrainTimeout, problems);
        Limit(HaKeys.ShutdownDelay, options.ShutdownDelay, problems);
    }

    /// <summary>
    /// The host gives up after its timeout; a handoff cut short there would leave the cluster without a leader for a
    /// lease. With a static leader nothing is handed over, so only the delay counts.
    /// </summary>
    public static void CheckShutdown(HaOptions options, TimeSpan? shutdownTimeout, List<string> problems)
    {
        if (shutdownTimeout is not { } available || available == Timeout.InfiniteTimeSpan ||
            options.ShutdownDelay > Max || options.DrainTimeout > Max || options.HeartbeatInterval > Max || options.LeaseTimeout > Max)
        {
            return;
        }

        var (needed, sum) = options.StaticLeader is not null
            ? (options.ShutdownDelay, $"{HaKeys.ShutdownDelay} ({Format(options.ShutdownDelay)})")
            : (options.ShutdownDelay + options.DrainTimeout + LeaseTimeout(options),
                $"{HaKeys.ShutdownDelay} ({Format(options.ShutdownDelay)}) + {HaKeys.DrainTimeout} ({Format(options.DrainTimeout)}) + " +
                $"{HaKeys.LeaseTimeout} ({Format(LeaseTimeout(options))})");
        if (needed > available)
        {
            var seconds = (long)Math.Ceiling(needed.TotalSeconds) + 5;
            problems.Add(
                $"{sum} must fit HostOptions.ShutdownTimeout ({Format(available)}); lower them, or raise it: " +
                $"DOTNET_shutdownTimeoutSeconds={seconds}, or services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds({seconds})).");
        }
    }

    private static void Limit(string key, TimeSpan? duration, List<string> problems)
    {
        if (duration < TimeSpan.Zero)
        {
            problems.Add($"{key} ({Format(duration.Value)}) is negative; write it like 500ms, 1.5s or 2m.");
        }

        if (duration > Max)
        {
            problems.Add($"{key} ({Format(duration.Value)}) must be at most {Format(Max)}.");
        }
    }
}
