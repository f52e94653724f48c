namespace Ha.Tests.Support;

internal static class Pids
{
    /// <summary>A zombie is gone: it only waits for its new parent to take note.</summary>
    public static bool IsGone(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return true;
        }
    }
}
