using System.ComponentModel;
using System.Diagnostics;
using Ha.Tests.Support;

namespace Ha.Tests.Signing;

/// <summary>
/// A fact that needs Node.js and the packages of the interop folder. Installs them when they are absent; where that is
/// impossible, the test is reported as skipped with the reason.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactIfNodeAttribute : FactAttribute
{
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);
    private static readonly Lazy<string?> _obstacle = new(FindObstacle);

    public FactIfNodeAttribute() => Skip = _obstacle.Value!;

    internal static string Folder { get; } = Path.Combine(Repository.Root, "src", "Ha.Tests", "Signing", "interop");

    private static string? FindObstacle()
    {
        if (Run("node", "--version") is { } noNode)
        {
            return $"Interop is untested here, Node.js is not installed: {noNode}";
        }

        if (Directory.Exists(Path.Combine(Folder, "node_modules")))
        {
            return null;
        }

        return Run("npm", "ci --ignore-scripts --prefer-offline --fetch-retries=1 --fetch-retry-mintimeout=1000") is { } failed ? $"Interop is untested here, npm ci failed: {failed}" : null;
    }

    /// <returns>Null on success, else why not.</returns>
    private static string? Run(string program, string arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments)
            {
                WorkingDirectory = Folder,
                UseShellExecute = false,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            process.OutputDataReceived += (_, _) => { };
            process.BeginOutputReadLine();
            var errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(_patience))
            {
                process.Kill(entireProcessTree: true);
                return $"{program} did not end";
            }

            var lines = errors.Result.Split('\n', StringSplitOptions.TrimEntries);
            return process.ExitCode == 0 ? null : lines.FirstOrDefault(line => line.Contains("error", StringComparison.Ordinal), lines[0]);
        }
        catch (Win32Exception e)
        {
            return e.Message;
        }
    }
}
