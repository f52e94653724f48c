using System.Globalization;
using Ha.Cli.Processes;
using Ha.Tests.Support;

namespace Ha.Tests.Cli;

public class ChildProcessTests
{
    [Fact]
    public async Task What_a_program_starts_is_paused_and_killed_with_it()
    {
        await using var shell = new ChildProcess(["/bin/sh", "-c", "sleep 600 & echo $!; wait"]);
        var started = await StartAsync(shell);
        Assert.True(shell.Pause());
        Assert.Equal(ProcessState.Paused, shell.State);
        await Eventually.True(() => StateOf(started) == 'T');
        Assert.True(shell.Resume());
        await Eventually.True(() => StateOf(started) == 'S');
        shell.Kill();
        await shell.WhenDead.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(128 + Posix.SigKill, shell.ExitCode);
        await Eventually.True(() => Pids.IsGone(started));
    }

    [Fact]
    public async Task What_a_program_leaves_behind_ends_with_it()
    {
        await using var shell = new ChildProcess(["/bin/sh", "-c", "sleep 600 & echo $!"]);
        var started = await StartAsync(shell);
        await shell.WhenDead.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(0, shell.ExitCode);
        await Eventually.True(() => Pids.IsGone(started));
    }

    [Fact]
    public async Task What_has_left_the_session_holds_up_nobody()
    {
        await using var shell = new ChildProcess(["/bin/sh", "-c", "setsid sleep 600 & echo $!"]);
        var escaped = await StartAsync(shell);
        try
        {
            await shell.WhenDead.WaitAsync(TimeSpan.FromSeconds(10));
            Assert.Equal(0, shell.ExitCode);
        }
        finally
        {
            Posix.Signal(escaped, Posix.SigKill);
        }
    }

    [Fact]
    public async Task It_starts_again_with_the_variables_of_now()
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["WORD"] = "first", ["HOME"] = null };
        await using var shell = new ChildProcess(["/bin/sh", "-c", "echo $WORD ${HOME-none} $(pwd)"]) { Environment = environment, WorkingDirectory = "/" };
        shell.Start();
        await shell.WhenDead;
        environment["WORD"] = "second";
        shell.Start();
        await shell.WhenDead;
        Assert.Equal(["first none /", "second none /"], shell.Output);
        Assert.Equal(2, shell.Starts);
    }

    [Fact]
    public async Task One_that_does_not_listen_to_SIGTERM_is_killed_when_patience_ends()
    {
        await using var deaf = new ChildProcess(["/bin/sh", "-c", "trap '' TERM; sleep 600 & echo $!; wait; wait"]);
        await StartAsync(deaf);
        await deaf.StopAsync(TimeSpan.FromMilliseconds(200));
        Assert.Equal(128 + Posix.SigKill, deaf.ExitCode);
        Assert.False(deaf.Terminate());
    }

    private static async Task<int> StartAsync(ChildProcess shell)
    {
        shell.Start();
        await Eventually.True(() => shell.Output.Count > 0, what: "the shell says what it started");
        return int.Parse(shell.Output[0], CultureInfo.InvariantCulture);
    }

    private static char StateOf(int pid)
    {
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        return stat[stat.LastIndexOf(')') + 2];
    }
}
