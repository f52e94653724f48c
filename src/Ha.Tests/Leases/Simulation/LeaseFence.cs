using Ha.Tests.Simulation;

namespace Ha.Tests.Leases.Simulation;

/// <summary>A write handler with the token that it took inside the gate.</summary>
/// <param name="Checks">False: it forgot the check before its commit, so that only the fence can stop it.</param>
internal sealed record LeaseWriter(Guid Holder, long Epoch, long Generation, bool Checks);

/// <summary>The application's database: one row that refuses lower epochs. One epoch must never belong to two holders.</summary>
internal sealed class LeaseFence(LeaseWorld world)
{
    private Guid _holder;

    public long Epoch { get; private set; }

    /// <summary>Stores an epoch before the first write with it and returns the highest one before.</summary>
    public long Raise(long epoch, Guid holder, string name)
    {
        long before = Epoch;
        if (epoch > Epoch)
            Take(epoch, holder, name);

        return before;
    }

    public bool TryWrite(LeaseWriter writer, string name)
    {
        if (writer.Epoch < Epoch)
        {
            world.Counts.FencedAway++;
            return false;
        }

        if (writer.Epoch == Epoch && writer.Holder != _holder && world.Settings is { AwaitFloor: true } or { Rising: true })
            world.Break("fence: one epoch, one holder", $"{name} writes with {SimTrace.Epoch(Epoch)}, which another has written with");

        Take(writer.Epoch, writer.Holder, name);
        world.Counts.Writes++;
        return true;
    }

    private void Take(long epoch, Guid holder, string name)
    {
        if (epoch < Epoch)
            world.Break("fence: epochs only rise", $"{name} writes with {SimTrace.Epoch(epoch)} after {SimTrace.Epoch(Epoch)}");

        (Epoch, _holder) = (epoch, holder);
    }
}
