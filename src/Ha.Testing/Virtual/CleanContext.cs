namespace Ha.Testing.Virtual;

/// <summary>
/// Runs code on this thread as on one of the pool's: without the caller's synchronization context and scheduler. Test frameworks
/// have such, and what waits would go on elsewhere and at another time.
/// </summary>
internal static class CleanContext
{
    public static void Run(Action action)
    {
        var context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            var task = new Task(action);
            task.RunSynchronously(TaskScheduler.Default);
            task.GetAwaiter().GetResult();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }

    public static T Run<T>(Func<T> function)
    {
        T result = default!;
        Run(() => { result = function(); });
        return result;
    }
}
