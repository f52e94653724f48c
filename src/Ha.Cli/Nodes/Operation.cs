using Ha.Configuration;
using Ha.Http;

namespace Ha.Cli.Nodes;

/// <summary>Has one thing done and waits until it is so. What does not work ends it with a <see cref="CommandException"/>.</summary>
/// <param name="target">The nodes.</param>
/// <param name="patience">How long to wait.</param>
/// <param name="output">Gets what was done.</param>
internal sealed class Operation(Target target, TimeSpan patience, TextWriter output)
{
    private const int MaxMoves = 3;
    private static readonly TimeProvider _clock = TimeProvider.System;

    private readonly long _start = _clock.GetTimestamp();

    private TimeSpan Left => TimeSpan.FromTicks(Math.Max(0, (patience - _clock.GetElapsedTime(_start)).Ticks));

    public async Task<ExitCode> StepDownAsync(string? to, CancellationToken stop)
    {
        var before = await target.LookAsync(stop);
        for (var move = 1; ; move++)
        {
            var leader = before.LeaderRow ?? throw NoLeader(before);
            var answer = await target.PostAsync(leader, HaRoutes.StepDown, to, stop);
            if (answer.Trouble is { Code: ExitCode.Refused, Words: "not leader" } && move < MaxMoves)
            {
                // Leadership moved in between, or is on its way.
                before = await NextAsync(before, stop);
                continue;
            }

            Require(leader, answer, before, to);
            await output.WriteLineAsync($"{StatusTable.Name(leader)} hands over{To(answer)}.");
            var after = await NextAsync(before, stop);
            return after.Leader == before.Leader
                ? throw new CommandException(ExitCode.Failed, $"The handoff failed: {StatusTable.Leader(after)}.")
                : await SayLeaderAsync(after);
        }
    }

    public async Task<ExitCode> PauseAsync(string nodeId, string? to, CancellationToken stop)
    {
        var (before, node) = await FindAsync(nodeId, stop);
        Require(node, await target.PostAsync(node, HaRoutes.Pause, to, stop), before, to);
        await output.WriteLineAsync($"{StatusTable.Name(node)} is paused.");
        return await SayLeaderAsync(await UntilAsync(
            now => now.Leader != nodeId && (now.Leader is not null || before.Leader != nodeId), stop));
    }

    public async Task<ExitCode> ResumeAsync(string nodeId, CancellationToken stop)
    {
        var (before, node) = await FindAsync(nodeId, stop);
        Require(node, await target.PostAsync(node, HaRoutes.Resume, to: null, stop), before);
        await output.WriteLineAsync($"{StatusTable.Name(node)} is resumed.");
        return ExitCode.Done;
    }

    public async Task<ExitCode> WaitAsync(bool leader, bool ready, CancellationToken stop)
    {
        if (ready)
        {
            var (troubles, allReady) = await Target.PollAsync(
                token => Task.WhenAll(target.Urls.Select(url => target.AskReadyAsync(url, token))),
                all => all.All(trouble => trouble is null),
                Left,
                _clock,
                stop);
            if (!allReady)
            {
                throw TimedOut("not all nodes are ready", target.Urls.Zip(troubles).Where(node => node.Second is not null)
                    .Select(node => $"{node.First}: {node.Second!.Words}"));
            }

            await output.WriteLineAsync(target.Urls.Count == 1 ? "The node is ready." : $"All {target.Urls.Count} nodes are ready.");
        }

        return leader ? await SayLeaderAsync(await UntilAsync(now => now.Leader is not null && !now.IsSplit, stop)) : ExitCode.Done;
    }

    private async Task<ClusterStatus> UntilAsync(Func<ClusterStatus, bool> until, CancellationToken stop)
    {
        // A token that is wrong does not become right by waiting.
        var (last, _) = await Target.PollAsync(
            target.LookAsync, now => until(now) || now.ExitCode == ExitCode.WrongToken, Left, _clock, stop);
        return until(last) ? last
            : last.ExitCode == ExitCode.WrongToken ? throw NoLeader(last)
            : throw TimedOut(StatusTable.Leader(last), [.. Troubles(last), .. StatusTable.Reasons(last)]);
    }

    /// <summary>Another leader, or the same one anew.</summary>
    private Task<ClusterStatus> NextAsync(ClusterStatus before, CancellationToken stop) =>
        UntilAsync(now => now.Leader is not null && (now.Leader != before.Leader || now.Epoch > before.Epoch), stop);

    private async Task<ExitCode> SayLeaderAsync(ClusterStatus status)
    {
        await output.WriteLineAsync($"{StatusTable.Leader(status)}.");
        return ExitCode.Done;
    }

    private async Task<(ClusterStatus Status, NodeRow Node)> FindAsync(string nodeId, CancellationToken stop)
    {
        var status = await target.LookAsync(stop);
        if (status.RowOf(nodeId) is { } found)
        {
            return (status, found);
        }

        var known = Known(status);
        throw known.Length == 0 || status.Nodes.Any(row => row.NodeId.Length == 0)
            ? new CommandException(
                status.ExitCode is ExitCode.WrongToken or ExitCode.NoSuchRoute or ExitCode.Failed ? status.ExitCode : ExitCode.NotReachable,
                Lines($"No node says that it is {nodeId}.", Troubles(status)))
            : new CommandException(ExitCode.WrongUsage, $"There is no node {nodeId}, but {known}.");
    }

    private static string Known(ClusterStatus status) =>
        string.Join(", ", status.Nodes.Where(row => row.NodeId.Length > 0).Select(StatusTable.Name));

    /// <param name="node">Who was told.</param>
    /// <param name="answer">What it said.</param>
    /// <param name="before">The cluster as it was.</param>
    /// <param name="to">Who was to lead next; null: whoever is next.</param>
    private static void Require(NodeRow node, ActionAnswer answer, ClusterStatus before, string? to = null)
    {
        if (answer.Trouble is { } trouble)
        {
            var why = trouble.Words != "target not eligible" ? ""
                : to is null ? ": no other node could take over now"
                : to == node.NodeId ? $": {to} is the node that hands over"
                : before.RowOf(to) is null ? $": there is no node {to} among {Known(before)}"
                : "";
            throw new CommandException(
                trouble.Code, $"{StatusTable.Name(node)} ({StatusTable.Plain(node.Url)}): {StatusTable.Plain(trouble.Words + why)}.");
        }
    }

    private static string To(ActionAnswer answer) => answer.Successor.Length > 0 ? $" to {StatusTable.Plain(answer.Successor)}" : "";

    private static CommandException NoLeader(ClusterStatus status) => new(
        status.ExitCode is ExitCode.Done or ExitCode.SomeSilent ? ExitCode.NotReachable : status.ExitCode,
        Lines(
            $"{StatusTable.Leader(status)}{(status.Leader is null ? "" : ", but no node says where it is; name it with --url")}.",
            [.. Troubles(status), .. StatusTable.Reasons(status)]));

    private CommandException TimedOut(string what, IEnumerable<string> troubles) =>
        new(ExitCode.TimedOut, Lines($"After {DurationText.Format(patience)}: {what}.", troubles));

    private static IEnumerable<string> Troubles(ClusterStatus status) =>
        status.Nodes.Where(row => row.Error is not null).Select(row => $"{StatusTable.Plain(row.Url)}: {StatusTable.Plain(row.Error!)}");

    private static string Lines(string first, IEnumerable<string> others) => string.Join("\n  ", others.Prepend(first));
}
