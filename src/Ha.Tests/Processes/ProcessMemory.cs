using System.Globalization;

namespace Ha.Tests.Processes;

/// <summary>What the kernel says about a process.</summary>
internal static class ProcessMemory
{
    /// <summary>The most memory it ever had resident.</summary>
    public static long PeakMegabytes(int pid) => File.ReadLines($"/proc/{pid}/status")
        .Where(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
        .Select(line => long.Parse(line.AsSpan(6).Trim().TrimEnd(" kB"), CultureInfo.InvariantCulture) / 1024)
        .Single();
}
