namespace Ha.Election;

/// <summary>
/// Two processes with one NodeID and one URL, as while a replacement runs beside what it replaces. The election is safe
/// from them, a holder of promises is an incarnation; but each hears the other's refusals. Told to everybody concerned.
/// </summary>
internal sealed partial class ElectionCore
{
    /// <summary>
    /// A new request of a process that was replaced more than a lease ago: no message is under way for that long, so it lives.
    /// </summary>
    private bool NoticeTwin(Peer peer, Beat beat, long now)
    {
        if (beat.ToIncarnation != _config.Incarnation || peer.Incarnation == beat.From.Incarnation
            || !peer.HearFormer(beat.From.Incarnation, beat.Seq, now - _config.LeaseMicros))
        {
            return false;
        }

        peer.TwinAt = now;
        Report(ElectionEventKind.TwinSeen, beat.From.Id, 0,
            $"{peer.Target} is used by the incarnations {Short(peer.Incarnation)} and {Short(beat.From.Incarnation)}");
        return true;
    }

    /// <summary>
    /// True for one heartbeat of the replacement now and then, and the reply says why. Never for one that asks for something: all
    /// members notice at once, and a leader whose renewals all fail together is none.
    /// </summary>
    private bool TellsOfTwin(Peer peer, Beat beat, long now)
    {
        if (beat.Op != BeatOp.None || now - peer.TwinAt >= _config.LeaseMicros || now - peer.TwinToldAt < ReportEveryMicros)
        {
            return false;
        }

        peer.TwinToldAt = now;
        return true;
    }

    private void LearnOfTwin(Peer peer, long now)
    {
        if (!HasDuplicateId(now))
        {
            Report(ElectionEventKind.TwinSeen, _config.NodeId, 0,
                $"{peer.Id} hears another process than this one, which is incarnation {Short(_config.Incarnation)} at {_config.Target}");
        }
    }

    private static string Short(Guid incarnation) => incarnation.ToString("N")[..8];
}
