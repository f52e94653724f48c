using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;

namespace Ha.Tests.Support;

/// <summary>Node.js and the packages that a folder of this repository asks for. Installs them when they are absent.</summary>
internal static class NodePackages
{
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);
    private static readonly ConcurrentDictionary<string, Lazy<string?>> _obstacles = new(StringComparer.Ordinal);

    /// <returns>Null when scripts in the folder can run, else why not, for a skipped test's reader.</returns>
    public static string? Obstacle(string folder) => _obstacles.GetOrAdd(folder, static folder => new Lazy<string?>(() => Find(folder))).Value;

    private static string? Find(string folder)
    {
        if (Run(folder, "node", "--version") is { } noNode)
        {
            return $"Interop is untested here, Node.js is not installed: {noNode}";
        }

        if (Directory.Exists(Path.Combine(folder, "node_modules")))
        {
            return null;
        }

        return Run(folder, "npm", "ci --ignore-scripts --prefer-offline --fetch-retries=1 --fetch-retry-mintimeout=1000") is { } failed ? $"Interop is untested here, npm ci failed: {failed}" : null;
    }

    /// <returns>Null on success, else why not.</returns>
    private static string? Run(string folder, string program, string arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments)
            {
                WorkingDirectory = folder,
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
