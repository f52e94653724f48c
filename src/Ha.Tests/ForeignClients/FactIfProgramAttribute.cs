using System.ComponentModel;
using System.Diagnostics;

namespace Ha.Tests.ForeignClients;

/// <summary>A fact about somebody else's program; skipped, with the reason, where it cannot be run.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactIfProgramAttribute : FactAttribute
{
    /// <param name="package">What it is called in Debian.</param>
    /// <param name="program">The program.</param>
    /// <param name="probe">Arguments with which it ends at once and well.</param>
    public FactIfProgramAttribute(string package, string program, params string[] probe) =>
        Skip = Runs(program, probe) ? null : $"{program} {string.Join(' ', probe)} fails here (Debian: apt-get install {package}).";

    private static bool Runs(string program, string[] probe)
    {
        try
        {
            using var process = Process.Start(Quietly(program, probe))!;
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }

    internal static ProcessStartInfo Quietly(string program, string[] arguments) => new(program, arguments)
    {
        UseShellExecute = false,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    };
}
