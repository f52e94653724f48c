using Ha.Election;

namespace Ha.Tests.Simulation;

/// <summary>Words for messages. A plain heartbeat has none: a story of a thousand of them is no story.</summary>
internal static class SimStory
{
    public static string? Tell(in SimEvent message) => message.Body switch
    {
        Beat beat => Tell(beat),
        BeatReply reply => Tell(reply),
        _ => null,
    };

    public static string? Tell(Beat beat)
    {
        string? op = beat.Op switch
        {
            BeatOp.Acquire => $"acquire {SimTrace.Epoch(beat.OpEpoch)} for {SimTrace.Millis(beat.OpDurationMicros)}",
            BeatOp.Renew => $"renew {SimTrace.Epoch(beat.OpEpoch)} for {SimTrace.Millis(beat.OpDurationMicros)}",
            BeatOp.HandoffPrepare => $"handoff-prepare {SimTrace.Epoch(beat.OpEpoch)}",
            _ => null,
        };
        string? aside = beat.From switch
        {
            { ReleasedUpTo: > 0, Role: not NodeRole.Leader } from =>
                $"release up to {SimTrace.Epoch(from.ReleasedUpTo)}{(from.Successor is null ? "" : $" for {from.Successor}")}",
            { CancelledEpoch: > 0, Role: NodeRole.Follower } from => $"cancel {SimTrace.Epoch(from.CancelledEpoch)}",
            _ => null,
        };
        return (op, aside) switch
        {
            (null, null) => null,
            (null, _) => $"beat #{beat.Seq} ({aside})",
            (_, null) => $"beat #{beat.Seq} {op}",
            _ => $"beat #{beat.Seq} {op} ({aside})",
        };
    }

    public static string? Tell(BeatReply reply) => reply switch
    {
        { Status: not BeatStatus.Ok } => $"reply #{reply.Seq} {reply.Status}",
        { Granted: true } => $"reply #{reply.Seq} granted {SimTrace.Epoch(reply.OpEpoch)}",
        { Refusal: not Refusal.None } =>
            $"reply #{reply.Seq} refused: {reply.Refusal}"
            + (reply.Refusal == Refusal.EpochTooLow ? $", floor {SimTrace.Epoch(reply.EpochFloor)}" : "")
            + (reply.RefusalRemainingMicros > 0 ? $", {SimTrace.Millis(reply.RefusalRemainingMicros)} to go" : ""),
        _ => null,
    };

    public static string Tell(in ElectionEvent told) =>
        $"* {told.Kind}{(told.Node is null ? "" : $" {told.Node}")}{(told.Epoch == 0 ? "" : $" {SimTrace.Epoch(told.Epoch)}")}"
        + (told.Why.Length == 0 ? "" : $": {told.Why}");
}
