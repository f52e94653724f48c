using System.Text.Json.Nodes;
using Ha.Cli;
using Microsoft.Extensions.Configuration;

namespace Ha.Tests.Cli;

/// <summary>What one <c>ha</c> command said and ended with.</summary>
internal sealed record CommandRun(ExitCode Code, string Output, string Error)
{
    public const string Token = "a-token-for-the-tests-only";

    public JsonNode Json => JsonNode.Parse(Output)!;

    public static Task<CommandRun> WithTokenAsync(params string[] arguments) => RunAsync([("BASE_ADMIN_TOKEN", Token)], arguments);

    public static async Task<CommandRun> RunAsync((string Key, string? Value)[] environment, params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = await HaCommand.RunAsync(arguments, Environment(environment), output, error);
        var run = new CommandRun((ExitCode)code, output.ToString(), error.ToString());
        Assert.DoesNotContain(Token, run.Output + run.Error, StringComparison.Ordinal);
        return run;
    }

    public static IConfiguration Environment(params (string Key, string? Value)[] variables) =>
        new ConfigurationBuilder().AddInMemoryCollection(variables.ToDictionary(v => v.Key, v => v.Value, StringComparer.Ordinal)).Build();

    public CommandRun Ended(ExitCode code)
    {
        Assert.True(code == Code, $"{Code} instead of {code}:\n{Output}\n{Error}");
        return this;
    }
}
