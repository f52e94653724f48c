using Ha.Cli;

namespace Ha.Tests.Cli;

/// <summary>Where the output of <c>ha</c> goes.</summary>
public sealed class OutputTests
{
    [Theory]
    [InlineData("status", "--url", "http://127.0.0.1:1")]
    [InlineData("status", "--json", "--url", "http://127.0.0.1:1")]
    [InlineData("watch", "--url", "http://127.0.0.1:1")]
    [InlineData("keys", "new")]
    [InlineData("--help")]
    public async Task A_full_disk_behind_it_is_told_without_a_stack_trace(params string[] arguments)
    {
        var error = new StringWriter();
        var code = await HaCommand.RunAsync(arguments, CommandRun.Environment(), new FullDisk(), error);
        Assert.Equal((int)ExitCode.Failed, code);
        Assert.Equal("Writing failed: No space left on device.\n", error.ToString());
    }

    [Fact]
    public async Task The_help_that_follows_a_wrong_command_line_is_no_output()
    {
        var run = (await CommandRun.RunAsync([], "status", "--bogus", "--json")).Ended(ExitCode.WrongUsage);
        Assert.Empty(run.Output);
        Assert.Contains("--bogus", run.Error, StringComparison.Ordinal);
        Assert.Contains("--token-file", (await CommandRun.RunAsync([], "status", "--help")).Ended(ExitCode.Done).Output, StringComparison.Ordinal);
    }

    private sealed class FullDisk : StringWriter
    {
        public override void Write(char value) => throw new IOException("No space left on device.");

        public override void Write(string? value) => Write('x');

        public override void WriteLine(string? value) => Write('x');

        public override Task WriteLineAsync(string? value) => throw new IOException("No space left on device.");
    }
}
