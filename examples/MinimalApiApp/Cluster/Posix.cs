using System.Runtime.InteropServices;

namespace MinimalApiApp.Cluster;

/// <summary>The few system calls that .NET has no API for.</summary>
internal static partial class Posix
{
    private const int SigKill = 9;
    private const int SigTerm = 15;
    private const int PrSetPdeathsig = 1;

    private static int SigStop => OperatingSystem.IsLinux() ? 19 : 17;

    private static int SigCont => OperatingSystem.IsLinux() ? 18 : 19;

    public static int ParentPid => OperatingSystem.IsWindows() ? 0 : GetParentPid();

    public static bool Kill(int pid) => Signal(pid, SigKill) == 0;

    public static bool Terminate(int pid) => Signal(pid, SigTerm) == 0;

    public static bool Stop(int pid) => Signal(pid, SigStop) == 0;

    public static bool Continue(int pid) => Signal(pid, SigCont) == 0;

    /// <summary>Leaves the terminal's foreground group: its Ctrl-C then reaches the parent only, which stops its children itself.</summary>
    public static void LeaveProcessGroup()
    {
        if (!OperatingSystem.IsWindows())
        {
            _ = SetProcessGroup(0, 0);
        }
    }

    /// <summary>Linux: this process gets SIGKILL when the thread that started it ends, even while it is stopped.</summary>
    public static void DieWithParentThread()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = ProcessControl(PrSetPdeathsig, SigKill, 0, 0, 0);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Signal(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "getppid")]
    private static partial int GetParentPid();

    [LibraryImport("libc", EntryPoint = "setpgid", SetLastError = true)]
    private static partial int SetProcessGroup(int pid, int group);

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int ProcessControl(int option, nuint a, nuint b, nuint c, nuint d);
}
