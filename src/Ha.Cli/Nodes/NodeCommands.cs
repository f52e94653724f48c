using System.CommandLine;
using Ha.Configuration;
using Microsoft.Extensions.Configuration;

namespace Ha.Cli.Nodes;

/// <summary>The command lines of what is asked of running nodes.</summary>
internal sealed class NodeCommands(IConfiguration environment)
{
    private static readonly TimeSpan _watchEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _handoffPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _waitPatience = TimeSpan.FromMinutes(1);

    public IEnumerable<Command> All() => [Status(), Watch(), Wait(), StepDown(), Pause(), Resume()];

    private Command Status()
    {
        var json = new Option<bool>("--json") { Description = "Prints one JSON object." };
        return New("status", "Shows who leads and how every node is.", [json], async (parsed, target, stop) =>
        {
            var status = await target.LookAsync(stop);
            await parsed.InvocationConfiguration.Output.WriteLineAsync(
                parsed.GetValue(json) ? CliJson.Indented(status) : string.Join('\n', StatusTable.Lines(status)));
            return status.ExitCode;
        });
    }

    private Command Watch()
    {
        var json = new Option<bool>("--json") { Description = "Prints a JSON object on one line for each change." };
        var interval = Duration("--interval", $"From look to look ({DurationText.Format(_watchEvery)}).");
        return New(
            "watch",
            "Shows the status again and again until Ctrl-C: in place on a terminal, otherwise one line for each change.",
            [interval, json],
            (parsed, target, stop) => WatchRun.RunAsync(
                target, parsed.GetValue(interval) ?? _watchEvery, parsed.GetValue(json), parsed.InvocationConfiguration.Output, stop));
    }

    private Command Wait()
    {
        var leader = new Option<bool>("--leader") { Description = "Until a node leads." };
        var ready = new Option<bool>("--ready") { Description = "Until every node that was named takes requests." };
        var timeout = Duration("--timeout", $"How long at most ({DurationText.Format(_waitPatience)}).");
        var command = New(
            "wait",
            "Waits until there is a leader, or all nodes are ready, or both.",
            [leader, ready, timeout],
            (parsed, target, stop) => Operation(parsed, target, parsed.GetValue(timeout) ?? _waitPatience).WaitAsync(parsed.GetValue(leader), parsed.GetValue(ready), stop));
        command.Validators.Add(result =>
        {
            if (!result.GetValue(leader) && !result.GetValue(ready))
            {
                result.AddError("Wait for what? Say --leader, --ready, or both.");
            }
        });
        return command;
    }

    private Command StepDown()
    {
        var to = To();
        var timeout = HandoffTimeout();
        return New(
            "step-down",
            "Has the leader hand over, whichever node that is, and waits until another one leads.",
            [to, timeout],
            (parsed, target, stop) => Operation(parsed, target, parsed.GetValue(timeout) ?? _handoffPatience)
                .StepDownAsync(parsed.GetValue(to), stop),
            acts: true);
    }

    private Command Pause()
    {
        var (node, to) = (Node(), To());
        var timeout = HandoffTimeout();
        return New(
            "pause",
            "Keeps a node from leading until it is resumed or restarted; if it leads, it hands over first.",
            [node, to, timeout],
            (parsed, target, stop) => Operation(parsed, target, parsed.GetValue(timeout) ?? _handoffPatience)
                .PauseAsync(parsed.GetValue(node)!, parsed.GetValue(to), stop),
            acts: true);
    }

    private Command Resume()
    {
        var node = Node();
        return New(
            "resume",
            "Lets a paused node lead again.",
            [node],
            (parsed, target, stop) => Operation(parsed, target, _handoffPatience).ResumeAsync(parsed.GetValue(node)!, stop),
            acts: true);
    }

    private static Operation Operation(ParseResult parsed, Target target, TimeSpan patience) =>
        new(target, patience, parsed.InvocationConfiguration.Output);

    private static Option<string> Node() => new("--node") { Description = "The node's BASE_NODE_ID.", HelpName = "id", Required = true };

    private static Option<string?> To() => new("--to") { Description = "Who is to lead next (whoever is next).", HelpName = "id" };

    private static Option<TimeSpan?> HandoffTimeout() =>
        Duration("--timeout", $"How long to wait for the handoff ({DurationText.Format(_handoffPatience)}).");

    private static Option<TimeSpan?> Duration(string name, string description) =>
        new(name) { Description = description, CustomParser = Durations.Parse, HelpName = "duration" };

    private Command New(
        string name,
        string description,
        IEnumerable<Option> options,
        Func<ParseResult, Target, CancellationToken, Task<ExitCode>> run,
        bool acts = false)
    {
        var command = new Command(name, description);
        foreach (var option in options)
        {
            command.Add(option);
        }

        var where = new TargetOptions(environment);
        where.AddTo(command);
        command.Does(async (parsed, stop) =>
        {
            using var target = where.Open(parsed, acts);
            return await run(parsed, target, stop);
        });
        return command;
    }
}
