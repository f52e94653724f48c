using System.Runtime.InteropServices;

namespace Ha.Leadership;

/// <summary>
/// The lease clock. On Linux it reads <c>CLOCK_BOOTTIME</c>, which keeps counting while the machine is suspended;
/// <see cref="System.Diagnostics.Stopwatch"/> there does not, and a node that slept would believe in its old lease.
/// Elsewhere it is the system's monotonic clock. Timers and wall time are the system's.
/// </summary>
internal sealed partial class BootClock : TimeProvider
{
    private const int ClockBoottime = 7;
    private const long NanosPerSecond = 1_000_000_000;

    public static TimeProvider Instance { get; } = OperatingSystem.IsLinux() ? new BootClock() : System;

    public override long TimestampFrequency => NanosPerSecond;

    public override long GetTimestamp()
    {
        if (ClockGetTime(ClockBoottime, out var time) != 0)
        {
            throw new InvalidOperationException("clock_gettime(CLOCK_BOOTTIME) failed.");
        }

        return time.Seconds * NanosPerSecond + time.Nanos;
    }

    // Read for every write, and done in some 20 ns without a system call: the transition would cost as much again.
    [SuppressGCTransition]
    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int ClockGetTime(int clock, out TimeSpec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public nint Seconds;
        public nint Nanos;
    }
}
