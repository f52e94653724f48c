using System.Diagnostics;
using System.Globalization;

namespace MinimalApiApp.Cluster;

/// <summary>A node that the <c>cluster</c> command started dies with it, however that ended.</summary>
internal static class ParentGuard
{
    /// <summary>The command-line key with the parent's pid; without it this is an ordinary process.</summary>
    public const string Key = "cluster-pid";

    public static void DieWithCluster(IConfiguration configuration)
    {
        if (!int.TryParse(configuration[Key], CultureInfo.InvariantCulture, out var parent))
        {
            return;
        }

        Posix.LeaveProcessGroup();
        Posix.DieWithParentThread();
        if (!OperatingSystem.IsWindows() && Posix.ParentPid != parent)
        {
            // It was gone before we asked.
            Environment.Exit(1);
        }

        // Everywhere else: the parent holds the other end of our standard input and never writes to it.
        new Thread(DieAtEndOfInput) { IsBackground = true, Name = "parent guard" }.Start();
    }

    private static void DieAtEndOfInput()
    {
        using var input = Console.OpenStandardInput();
        while (input.ReadByte() >= 0)
        {
        }

        Process.GetCurrentProcess().Kill();
    }
}
