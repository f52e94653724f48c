using Ha.Cli.Processes;
using Ha.Configuration;

namespace Ha.Cli.Cluster;

/// <summary>Does what a person or a script asks: one verb, one node. Says what it did in the event log.</summary>
internal sealed class ClusterOperator(LocalCluster cluster, NodeWatcher watcher, WriteLoad load, EventLog events, TimeProvider clock)
{
    public const string Help = "kill|pause|resume|restart|start|stop|step-down <node|leader> · wait <duration|leader> · status · quit";

    private static readonly TimeSpan _stopPatience = TimeSpan.FromSeconds(15);

    /// <summary>One line of a script. False when it says that this is the end.</summary>
    public async Task<bool> DoLineAsync(string line, CancellationToken cancellationToken)
    {
        switch (line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            case []:
                return true;
            case ["quit" or "q" or "exit"]:
                return false;
            case ["status"]:
                ShowStatus();
                return true;
            case ["help" or "?"]:
                events.Add(Help);
                return true;
            case ["wait", var what]:
                await WaitAsync(what, cancellationToken);
                return true;
            case [var verb]:
                await DoAsync(verb, "leader", cancellationToken);
                return true;
            case [var verb, var target]:
                await DoAsync(verb, target, cancellationToken);
                return true;
            default:
                events.Add($"not understood: {line}   ({Help})");
                return true;
        }
    }

    public async Task DoAsync(string verb, string target, CancellationToken cancellationToken)
    {
        var node = string.Equals(target, "leader", StringComparison.Ordinal)
            ? watcher.Leader?.Node
            : cluster.Nodes.FirstOrDefault(n => string.Equals(n.Id, target, StringComparison.Ordinal));
        if (node is null)
        {
            events.Add(target is "leader" ? $"{verb}: no node leads" : $"{verb}: there is no node '{target}'");
            return;
        }

        switch (verb)
        {
            case "kill":
                Tell(node, node.Kill(), $"killed (SIGKILL, pid {node.Pid})");
                break;
            case "pause" when !watcher.Status.Any(s => s.Node == node && s.Answered):
                // So early nothing may watch over it yet, and nobody would wake it up.
                events.Add($"{node.Id} is still starting, pause it later");
                break;
            case "pause":
                Tell(node, node.State != ProcessState.Paused && node.Pause(), $"paused (SIGSTOP, pid {node.Pid})");
                break;
            case "resume" or "continue":
                Tell(node, node.State == ProcessState.Paused && node.Resume(), "continues (SIGCONT)");
                break;
            case "stop" or "term":
                Tell(node, node.Terminate(), $"told to stop (SIGTERM, pid {node.Pid})");
                break;
            case "step-down":
                events.Add($"{node.Id} asked to step down: {await cluster.StepDownAsync(node, to: null, cancellationToken)}", important: true);
                break;
            case "start" or "restart":
                await RestartAsync(node, verb is "restart");
                break;
            default:
                events.Add($"not understood: {verb}   ({Help})");
                break;
        }
    }

    private void Tell(NodeProcess node, bool done, string what) =>
        events.Add(done ? $"{node.Id} {what}" : $"{node.Id} is {node.State.ToString().ToLowerInvariant()}, nothing to do", important: done);

    private async Task RestartAsync(NodeProcess node, bool stopFirst)
    {
        if (stopFirst && node.State != ProcessState.Dead)
        {
            events.Add($"{node.Id} is being restarted (SIGTERM, pid {node.Pid})", important: true);
            await node.StopAsync(_stopPatience);
        }

        if (node.State == ProcessState.Dead)
        {
            node.Start();
            events.Add($"{node.Id} started (pid {node.Pid})", important: true);
        }
    }

    private async Task WaitAsync(string what, CancellationToken cancellationToken)
    {
        if (what is "leader")
        {
            while (watcher.Leader is null)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), clock, cancellationToken);
            }
        }
        else if (DurationText.TryParse(what, out var duration, out _))
        {
            await Task.Delay(duration, clock, cancellationToken);
        }
        else
        {
            events.Add($"wait: '{what}' is not a duration");
        }
    }

    private void ShowStatus()
    {
        foreach (var status in watcher.Status)
        {
            events.Add($"{status.Node.Id} {StatusWords.Role(status)} · epoch {status.Epoch} · pid {status.Node.Pid} · {status.Node.Url}");
        }

        events.Add($"writes: {StatusWords.Writes(load)}");
    }
}
