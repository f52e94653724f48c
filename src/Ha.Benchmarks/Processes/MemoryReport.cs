using System.Diagnostics;

namespace Ha.Benchmarks.Processes;

/// <summary>What a server says about its own memory.</summary>
/// <param name="WorkingSet">Resident bytes, after a full collection.</param>
/// <param name="Heap">Live bytes on the managed heap after it.</param>
/// <param name="Allocated">Bytes allocated since the start.</param>
/// <param name="Threads">Threads of the process.</param>
internal sealed record MemoryReport(long WorkingSet, long Heap, long Allocated, int Threads)
{
    public static MemoryReport Now()
    {
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var heap = GC.GetTotalMemory(forceFullCollection: true);
        using var self = Process.GetCurrentProcess();
        return new MemoryReport(self.WorkingSet64, heap, allocated, self.Threads.Count);
    }
}
