using System.Globalization;

/// <summary>
/// Runs inside the nodes, by <c>DOTNET_STARTUP_HOOKS</c>, so that the product needs no back door. It looks for a file and
/// does what it says: <c>threads 3000</c> blocks the thread pool for that many milliseconds, <c>gc 3000</c> keeps the
/// garbage collector busy.
/// </summary>
/// <remarks>The runtime looks for a class of this name outside of any namespace. It must need nothing but the runtime.</remarks>
#pragma warning disable CA1050, MA0047 // No namespace: see above.
#pragma warning disable RS0030 // No configuration, no clock: this is not the app, and it blocks threads on purpose.
internal static class StartupHook
{
    public const string Variable = "HA_CHAOS_PRESSURE_FILE";
    private const int LookEveryMs = 100;

    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } file)
        {
            new Thread(() => Watch(file)) { IsBackground = true, Name = "chaos" }.Start();
        }
    }

    private static void Watch(string file)
    {
        while (true)
        {
            Thread.Sleep(LookEveryMs);
            if (File.Exists(file) && File.ReadAllText(file).Split(' ') is [var kind, var length]
                && int.TryParse(length, CultureInfo.InvariantCulture, out var milliseconds))
            {
                File.Delete(file);
                Press(kind, milliseconds);
            }
        }
    }

    private static void Press(string kind, int milliseconds)
    {
        var end = Environment.TickCount64 + milliseconds;
        if (kind is "threads")
        {
            // Far more than the pool will add threads for while it lasts.
            for (var i = 0; i < 500; i++)
            {
                ThreadPool.UnsafeQueueUserWorkItem(_ => Thread.Sleep((int)Math.Max(0, end - Environment.TickCount64)), null);
            }
        }
        else if (kind is "gc")
        {
            var kept = new byte[200][];
            for (var i = 0; Environment.TickCount64 < end; i++)
            {
                // Old objects that die, half of them large: gen 2 collections, with the odd blocking one.
                kept[i % kept.Length] = new byte[(i & 1) == 0 ? 50_000 : 500_000];
                if (i % 500 == 0)
                {
                    GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
                    Thread.Sleep(1);
                }
            }
        }
    }
}
