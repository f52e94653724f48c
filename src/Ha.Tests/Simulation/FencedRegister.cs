namespace Ha.Tests.Simulation;

/// <summary>
/// The application's database: one row with the fence of the protocol, <c>UPDATE fence SET epoch = @e WHERE epoch &lt;= @e</c>.
/// Whatever slips past the lease has to die here, so one epoch must never belong to two holders.
/// </summary>
internal sealed class FencedRegister(World world)
{
    private Guid _holder;

    public long Epoch { get; private set; }
    public string HolderName { get; private set; } = "nobody";

    /// <summary>
    /// The application's floor: stores an epoch before the first write with it and returns the highest one before.
    /// Only reading would not do: a slow write of a forgotten leader could still pass.
    /// </summary>
    public long Raise(long epoch, Guid holder, string name)
    {
        long before = Epoch;
        if (epoch > Epoch)
            (Epoch, _holder, HolderName) = (epoch, holder, name);

        return before;
    }

    public bool TryWrite(SimWriter writer)
    {
        if (writer.Epoch < Epoch)
        {
            world.Counts.FencedAway++;
            return false;
        }

        if (world.Settings.Epochs != EpochRule.None && writer.Epoch == Epoch && writer.Holder != _holder)
        {
            world.Break(
                "fence: one epoch, one holder",
                $"{writer.HolderName} writes with {SimTrace.Epoch(Epoch)}, which {HolderName} has written with");
            return false;
        }

        Epoch = writer.Epoch;
        _holder = writer.Holder;
        HolderName = writer.HolderName;
        world.Counts.Writes++;
        return true;
    }
}

internal enum WriteOutcome
{
    /// <summary>Still inside its handler.</summary>
    Running,
    NotAdmitted,
    Committed,
    RefusedByCheck,
    RefusedByFence,
    DiedWithItsNode,
}

/// <summary>A write handler with the token that it took inside the gate.</summary>
internal sealed class SimWriter
{
    public required Guid Holder { get; init; }
    public required string HolderName { get; init; }
    public required long Epoch { get; init; }
    public required long Generation { get; init; }

    /// <summary>False: a handler that forgot the check before its commit, so that only the fence can stop it.</summary>
    public bool Checks { get; init; } = true;

    public WriteOutcome Outcome { get; set; }
}
