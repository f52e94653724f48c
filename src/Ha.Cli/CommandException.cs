using System.CommandLine;

namespace Ha.Cli;

/// <summary>Ends a command: why, for people, and for scripts.</summary>
internal sealed class CommandException(ExitCode code, string message) : Exception(message)
{
    public ExitCode Code { get; } = code;
}

internal static class CommandExtensions
{
    /// <summary>What the command does; a <see cref="CommandException"/> in it is told without a stack trace.</summary>
    public static void Does(this Command command, Func<ParseResult, CancellationToken, Task<ExitCode>> action) =>
        command.SetAction(async (parsed, stop) =>
        {
            try
            {
                return (int)await action(parsed, stop);
            }
            catch (CommandException e)
            {
                await parsed.InvocationConfiguration.Error.WriteLineAsync(e.Message);
                return (int)e.Code;
            }
        });
}
