using System.CommandLine;
using Ha.Cli.Cluster;
using Ha.Cli.Keys;
using Ha.Cli.Nodes;
using Microsoft.Extensions.Configuration;

namespace Ha.Cli;

/// <summary>The whole command line.</summary>
internal static class HaCommand
{
    private const string About = """
        Operates applications with Ha.

        status, watch, wait, step-down, pause and resume talk to the nodes that --url or BASE_PEERS names. The admin token comes from
        BASE_ADMIN_TOKEN, BASE_ADMIN_TOKEN_FILE or --token-file.

        Exit codes: 0 done, 1 failed, 2 wrong command line, 3 no leader, 4 not reachable, 5 a member does not answer, 6 refused,
        7 wrong or missing token, 8 no such route (no admin token is set on the node), 9 timed out.
        """;

    /// <param name="arguments">What follows <c>ha</c>.</param>
    /// <param name="environment">Where <c>BASE_*</c> is read.</param>
    /// <param name="output">Default: the console's.</param>
    /// <param name="error">Default: the console's.</param>
    /// <param name="stop">Ends it.</param>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> arguments,
        IConfiguration environment,
        TextWriter? output = null,
        TextWriter? error = null,
        CancellationToken stop = default)
    {
        var root = new RootCommand(About) { ClusterCommand.New(), KeysCommand.New(environment) };
        foreach (var command in new NodeCommands(environment).All())
        {
            root.Add(command);
        }

        var parsed = root.Parse(arguments);

        // Signals are handled where there is something to put right first: in ClusterRun and in watch.
        var invocation = new InvocationConfiguration { ProcessTerminationTimeout = null };
        invocation.Error = error ?? invocation.Error;
        if (parsed.Errors.Count > 0)
        {
            // With the help, which is not what whoever reads the output has asked for.
            invocation.Output = invocation.Error;
            await parsed.InvokeAsync(invocation, stop);
            return (int)ExitCode.WrongUsage;
        }

        invocation.Output = output ?? invocation.Output;
        invocation.EnableDefaultExceptionHandler = false;
        try
        {
            return await parsed.InvokeAsync(invocation, stop);
        }
        catch (IOException e)
        {
            // Such as a full disk behind the output; what goes wrong with nodes and files has been told by now.
            await invocation.Error.WriteLineAsync($"Writing failed: {e.Message}");
            return (int)ExitCode.Failed;
        }
    }
}
