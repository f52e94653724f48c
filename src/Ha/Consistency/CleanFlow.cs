namespace Ha.Consistency;

/// <summary>Starts what serves many requests and belongs to none: it sees nothing of the one that happens to start it.</summary>
internal static class CleanFlow
{
    /// <param name="run">Reports its own failures.</param>
    public static void Start(Func<Task> run) => ThreadPool.UnsafeQueueUserWorkItem(static run => _ = run(), run, preferLocal: false);
}
