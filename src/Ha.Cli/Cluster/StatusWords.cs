using Ha.Cli.Processes;

namespace Ha.Cli.Cluster;

internal static class StatusWords
{
    /// <summary>One word for what a node does.</summary>
    public static string Role(NodeStatus status) => status.Node.State switch
    {
        ProcessState.Dead => "dead",
        ProcessState.Paused => "paused",
        _ when status.Leads => "leader",
        _ when status.Answers => status.Role,
        _ when !status.Answered => "starting",
        _ => "silent",
    };

    public static string Writes(WriteLoad load) =>
        $"{load.Ok} ok, {load.Retried} of them retried, {load.Failed} failed, longest gap {Durations.Show(load.LongestGap)}"
        + (load.LastTrouble.Length > 0 ? $", last trouble: {load.LastTrouble}" : "");
}
