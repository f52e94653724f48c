using Ha.Election;

namespace Ha.Tests.Simulation;

/// <summary>Write handlers that run on this node, and the check they make before they commit.</summary>
internal sealed partial class SimNode
{
    public const long CommitGuardMinMicros = 15_000;

    private long CommitGuard => Math.Max(CommitGuardMinMicros, Setup.LeaseMicros / 20);

    /// <summary>A client's write of ordinary length: mostly short, now and then longer than the drain lasts.</summary>
    public void TryEnterWriter()
    {
        if (Core is not { } core || Paused || !CoreView.AdmitsWrites(core, LocalNow))
            return;

        var random = _world.Random;
        long length = random.Index(20) switch
        {
            0 => random.Between(Setup.DrainMicros / 2, Setup.DrainMicros * 2),
            < 5 => random.Between(10_000, Setup.IntervalMicros),
            _ => random.Between(200, 10_000),
        };
        EnterWriter(length, checks: !random.Chance(100));
    }

    public SimWriter EnterWriter(long length, bool checks)
    {
        var writer = new SimWriter
        {
            Holder = Incarnation,
            HolderName = Name,
            Epoch = Core?.Epoch ?? 0,
            Generation = Core?.Generation ?? 0,
            Checks = checks,
        };
        if (Core is not { } core || !CoreView.AdmitsWrites(core, LocalNow))
        {
            writer.Outcome = WriteOutcome.NotAdmitted;
            return writer;
        }

        Inside++;
        _world.Schedule(_world.Now + length, new SimEvent(SimEventKind.Commit, Index, Life, Body: writer));
        return writer;
    }

    private void Commit(ElectionCore core, SimWriter writer, long now)
    {
        bool sure = core.IsLeaderAt(now) && core.IsLeaderAt(now + CommitGuard)
            && core.Epoch == writer.Epoch && core.Generation == writer.Generation;
        int life = Life;
        if (writer.Checks && !sure)
        {
            writer.Outcome = WriteOutcome.RefusedByCheck;
            _world.Counts.CheckedAway++;
            Say($"write with {SimTrace.Epoch(writer.Epoch)} gives up at its check before the commit");
            _world.Schedule(_world.Now, new SimEvent(SimEventKind.Leave, Index, life));
            return;
        }

        // The commit is on its way to the database and nothing here can call it back: now and then it takes very long.
        long delay = _world.Random.Chance(30)
            ? _world.Random.Between(0, 3 * Setup.LeaseMicros)
            : _world.Random.Between(50, 2_000);
        _world.Schedule(_world.Now + delay, () =>
        {
            bool accepted = _world.Register.TryWrite(writer);
            writer.Outcome = accepted ? WriteOutcome.Committed : WriteOutcome.RefusedByFence;
            if (!accepted)
            {
                Say($"write with {SimTrace.Epoch(writer.Epoch)} dies at the fence, which {_world.Register.HolderName} has raised");
                if (life == Life && Setup.AwaitEpochFloor && core.IsLeaderAt(LocalNow) && core.Epoch == writer.Epoch)
                    AskForFloor(writer.Epoch);
            }
        });
        _world.Schedule(_world.Now + 2 * delay, new SimEvent(SimEventKind.Leave, Index, life));
    }
}
