namespace Ha.Chaos.Network;

/// <summary>Tells runs of this program apart: several may be under way on one machine.</summary>
internal static class Runs
{
    /// <summary>Whether the program of this pid is gone, or is another one by now.</summary>
    public static bool IsDead(int pid)
    {
        try
        {
            return !File.ReadAllText($"/proc/{pid}/cmdline").Contains("Ha.Chaos", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return true;
        }
    }
}
