using System.ComponentModel;
using System.Diagnostics;

namespace Ha.Chaos.Network;

/// <summary>Runs a program of the system to its end.</summary>
internal static class Tool
{
    public static async Task<ToolResult> TryAsync(params string[] command)
    {
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        try
        {
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            var output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            return new ToolResult(process.ExitCode, output, (await errors).Trim());
        }
        catch (Win32Exception e)
        {
            return new ToolResult(127, "", e.Message);
        }
    }

    /// <exception cref="InvalidOperationException">It did not end with 0.</exception>
    public static async Task<string> RunAsync(params string[] command)
    {
        var result = await TryAsync(command);
        return result.Ok ? result.Output : throw new InvalidOperationException($"{string.Join(' ', command)}: {result.Errors} (exit code {result.Code})");
    }
}

internal sealed record ToolResult(int Code, string Output, string Errors)
{
    public bool Ok => Code == 0;
}
