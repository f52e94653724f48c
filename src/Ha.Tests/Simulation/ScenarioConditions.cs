using System.Globalization;

namespace Ha.Tests.Simulation;

/// <summary>What a script can ask.</summary>
internal static class ScenarioConditions
{
    public static bool Holds(ScenarioStage stage, string[] words) => words switch
    {
        ["nobody", "leads"] => Leaders(stage) == 0,
        ["somebody", "leads"] => Leaders(stage) == 1,
        ["two", "lead"] => Leaders(stage) == 2,
        [var name, "leads"] => stage.Node(name).LeadsNow(),
        [var name, "does", "not", "lead"] => !stage.Node(name).LeadsNow(),
        [var name, "admits", "writes"] => Admits(stage.Node(name)),
        [var name, "refuses", "writes"] => !Admits(stage.Node(name)),
        [var name, "grants", "nobody"] => stage.Core(name).Voter.Holder is null,
        [var name, "grants", var holder] => stage.Core(name).Voter.Holder?.Id == holder,
        [var name, "follows", "nobody"] => Followed(stage, name) is null,
        [var name, "follows", var leader] => Followed(stage, name) == leader,
        [var name, "is", "quarantined"] => stage.Core(name).IsQuarantined(stage.Node(name).LocalNow),
        [var name, "is", "not", "quarantined"] => !stage.Core(name).IsQuarantined(stage.Node(name).LocalNow),
        [var name, "is", "eligible"] => stage.Core(name).IsEligible(stage.Node(name).LocalNow),
        [var name, "is", "not", "eligible"] => !stage.Core(name).IsEligible(stage.Node(name).LocalNow),
        [var name, "is", "down"] => stage.Node(name).Core is null,
        [var name, "saw", var kind] => stage.Heard(name, kind) > 0,
        [var name, "saw", "no", var kind] => stage.Heard(name, kind) == 0,
        [var name, "saw", var kind, var times] => stage.Heard(name, kind) == Number(times),
        ["changes", var count] => Changes(stage) == Number(count),
        ["changes", "at", "most", var count] => Changes(stage) <= Number(count),
        ["epoch", "rose"] => stage.World.Epochs.Highest > stage.EpochAtMark,
        ["epoch", "stayed"] => stage.World.Epochs.Highest == stage.EpochAtMark,
        ["lease", "of", var name, "at", "most", var rest] =>
            stage.Core(name).LeaseUntil - stage.Node(name).LocalNow <= Scenario.Duration(rest),
        ["stepdown", var result] => string.Equals(stage.LastStepDown, result, StringComparison.OrdinalIgnoreCase),
        ["register", "belongs", "to", var name] => stage.World.Register.HolderName == name,
        [var write, .. var outcome] when stage.Writes.TryGetValue(write, out var writer) => writer.Outcome == Outcome(outcome),
        _ => throw new ScenarioException($"'{string.Join(' ', words)}' is no condition"),
    };

    private static int Leaders(ScenarioStage stage) => stage.World.Nodes.Count(node => node.LeadsNow());

    private static bool Admits(SimNode node) =>
        node.Core is { } core && !node.Paused && CoreView.AdmitsWrites(core, node.LocalNow);

    private static string? Followed(ScenarioStage stage, string name) =>
        stage.Core(name).LeaderSeenAt(stage.Node(name).LocalNow)?.Id;

    private static long Changes(ScenarioStage stage) => stage.World.Counts.LeaderChanges - stage.ChangesAtMark;

    private static long Number(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : throw new ScenarioException($"'{text}' is no number");

    private static WriteOutcome Outcome(string[] words) => words switch
    {
        ["runs"] => WriteOutcome.Running,
        ["not", "admitted"] => WriteOutcome.NotAdmitted,
        ["committed"] => WriteOutcome.Committed,
        ["refused", "by", "check"] => WriteOutcome.RefusedByCheck,
        ["refused", "by", "fence"] => WriteOutcome.RefusedByFence,
        _ => throw new ScenarioException($"a write is never '{string.Join(' ', words)}'"),
    };
}
