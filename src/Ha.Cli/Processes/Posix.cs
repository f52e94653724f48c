using System.Runtime.InteropServices;

namespace Ha.Cli.Processes;

/// <summary>The few system calls that .NET has no API for. None of them may be made on Windows.</summary>
internal static partial class Posix
{
    public const int SigInt = 2;
    public const int SigQuit = 3;
    public const int SigKill = 9;
    public const int SigTerm = 15;

    private const int Output = 1;
    private const short PollError = 0x8;
    private const short PollHangUp = 0x10;

    public static int SigStop => OperatingSystem.IsLinux() ? 19 : 17;

    public static int SigCont => OperatingSystem.IsLinux() ? 18 : 19;

    public static int ParentPid => OperatingSystem.IsWindows() ? 0 : GetParentPid();

    /// <summary>True when whoever read this process's output through a pipe has closed it. False on Windows, and for files.</summary>
    public static bool IsOutputClosed
    {
        get
        {
            // These two are told without being asked for.
            var output = new PollFd { File = Output };
            return !OperatingSystem.IsWindows() && Poll(ref output, 1, timeoutMilliseconds: 0) > 0
                && (output.Events & (PollError | PollHangUp)) != 0;
        }
    }

    /// <summary>Signals a process, and the whole group if it leads one.</summary>
    public static bool Signal(int pid, int signal) => Kill(GetProcessGroup(pid) == pid ? -pid : pid, signal) == 0;

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "getpgid", SetLastError = true)]
    private static partial int GetProcessGroup(int pid);

    [LibraryImport("libc", EntryPoint = "getppid")]
    private static partial int GetParentPid();

    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int Poll(ref PollFd files, nuint count, int timeoutMilliseconds);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollFd
    {
        public int File;
        public short Wanted;
        public short Events;
    }
}
