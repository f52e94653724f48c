using Ha.Testing;

namespace Ha.Tests.Stores;

/// <summary>A good store around which faults are built.</summary>
internal class BrokenStore(InMemoryLeaseStore inner) : ILeaseStore
{
    public string Description => "broken";

    protected InMemoryLeaseStore Inner => inner;

    public virtual Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken) => inner.ReadAsync(self, cancellationToken);

    public virtual Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken) =>
        inner.TryWriteAsync(record, expected, self, cancellationToken);

    public virtual Task WaitForChangeAsync(CancellationToken cancellationToken) => inner.WaitForChangeAsync(cancellationToken);

    public virtual Task LeaveAsync(LeaseMember self, CancellationToken cancellationToken) => inner.LeaveAsync(self, cancellationToken);

    public virtual ValueTask DisposeAsync() => inner.DisposeAsync();

    /// <summary>Writes whatever is there.</summary>
    protected async Task<LeaseAnswer> OverwriteAsync(LeaseRecord record, LeaseMember self, CancellationToken cancellationToken)
    {
        var there = await inner.ReadAsync(self, cancellationToken);
        return await inner.TryWriteAsync(record, there.Version, self, cancellationToken);
    }
}

internal sealed class ClaimsOverRecords(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken) =>
        expected is null ? OverwriteAsync(record, self, cancellationToken) : base.TryWriteAsync(record, expected, self, cancellationToken);
}

internal sealed class IgnoresVersions(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override async Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken) =>
        expected is not null && (await base.ReadAsync(self, cancellationToken)).Record is not null
            ? await OverwriteAsync(record, self, cancellationToken)
            : await base.TryWriteAsync(record, expected, self, cancellationToken);
}

internal sealed class WritesWhereNothingWas(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override async Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken)
    {
        var there = await base.ReadAsync(self, cancellationToken);
        return await base.TryWriteAsync(record, there.Record is null ? null : expected, self, cancellationToken);
    }
}

/// <summary>Looks, and then writes: two steps that another can come between.</summary>
internal sealed class LooksThenWrites(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override async Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken)
    {
        var there = await base.ReadAsync(self, cancellationToken);
        if (there.Version != expected)
        {
            return there;
        }

        await Task.Delay(1, cancellationToken);
        return await OverwriteAsync(record, self, cancellationToken);
    }
}

internal sealed class RefusesOthers(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override async Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken)
    {
        var there = await base.ReadAsync(self, cancellationToken);
        return there.Record?.HolderId is { } holder && record.HolderId is not null && holder.Length == 1 && record.HolderId.Length == 1 && record.HolderId != holder
            ? there
            : await base.TryWriteAsync(record, expected, self, cancellationToken);
    }
}

/// <summary>Takes a record like its own for its own writing.</summary>
internal sealed class ComparesRecords(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override async Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken)
    {
        var answer = await base.TryWriteAsync(record, expected, self, cancellationToken);
        return answer.Record == record ? answer with { Written = true } : answer;
    }
}

internal sealed class ForgetsTheEpochAtRelease(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken) =>
        base.TryWriteAsync(record.HolderId is null && record.Epoch > 1 ? record with { Epoch = 1 } : record, expected, self, cancellationToken);
}

/// <summary>Keeps whole seconds, one at least, where it was told zero. Who wrote it is shown what it wrote.</summary>
internal sealed class RoundsZeroUp(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override async Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken)
    {
        var kept = record.Duration == TimeSpan.Zero ? record with { Duration = TimeSpan.FromSeconds(1) } : record;
        var answer = await base.TryWriteAsync(kept, expected, self, cancellationToken);
        return answer.Written ? answer with { Record = record } : answer;
    }
}

/// <summary>Writes something other than it was told.</summary>
internal sealed class ChangesRecords(InMemoryLeaseStore inner, Func<LeaseRecord, LeaseRecord> change) : BrokenStore(inner)
{
    public override Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken) =>
        base.TryWriteAsync(change(record), expected, self, cancellationToken);
}

/// <summary>Answers something other than what is there.</summary>
internal sealed class ChangesAnswers(InMemoryLeaseStore inner, Func<LeaseAnswer, LeaseAnswer> change) : BrokenStore(inner)
{
    public override async Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken) =>
        change(await base.ReadAsync(self, cancellationToken));

    public override async Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken) =>
        change(await base.TryWriteAsync(record, expected, self, cancellationToken));
}

/// <summary>Names versions by something that comes again.</summary>
internal sealed class NamesVersions(InMemoryLeaseStore inner, NamesVersions.Names names) : BrokenStore(inner)
{
    /// <summary>What all clients of one broken store share.</summary>
    public sealed class Names(Func<LeaseRecord, int, string> name)
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<string, (string Version, LeaseRecord Record)> _current = new(StringComparer.Ordinal);
        private readonly Dictionary<string, int> _writes = new(StringComparer.Ordinal);

        public async Task<LeaseAnswer> WriteAsync(InMemoryLeaseStore store, LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken)
        {
            var there = await store.ReadAsync(self, cancellationToken);
            lock (_lock)
            {
                if (Name(store, there) == expected && expected is not null)
                {
                    expected = there.Version;
                }
            }

            return Named(store, await store.TryWriteAsync(record, expected, self, cancellationToken));
        }

        public LeaseAnswer Named(InMemoryLeaseStore store, LeaseAnswer answer)
        {
            lock (_lock)
            {
                return answer with { Version = Name(store, answer) };
            }
        }

        private string? Name(InMemoryLeaseStore store, LeaseAnswer answer)
        {
            if (answer.Version is null)
            {
                _writes.Remove(store.Description);
                return null;
            }

            if (!_current.TryGetValue(answer.Version, out var known))
            {
                _writes[store.Description] = _writes.GetValueOrDefault(store.Description) + 1;
                _current[answer.Version] = known = (name(answer.Record!, _writes[store.Description]), answer.Record!);
            }

            return known.Version;
        }
    }

    public override async Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken) =>
        names.Named(Inner, await base.ReadAsync(self, cancellationToken));

    public override Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken) =>
        names.WriteAsync(Inner, record, expected, self, cancellationToken);
}

/// <summary>Shows something in place of a record that was deleted.</summary>
internal sealed class ShowsDeleted(InMemoryLeaseStore inner, ShowsDeleted.Memory memory, Func<LeaseRecord, LeaseRecord> shown) : BrokenStore(inner)
{
    public override async Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken)
    {
        var answer = await base.ReadAsync(self, cancellationToken);
        return answer.Record is null && memory.Last is { } last ? answer with { Record = shown(last), Version = "deleted" } : answer;
    }

    public override async Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken)
    {
        var answer = await base.TryWriteAsync(record, expected == "deleted" ? null : expected, self, cancellationToken);
        memory.Last = answer.Record;
        return answer;
    }

    public sealed class Memory
    {
        public LeaseRecord? Last { get; set; }
    }
}

/// <summary>Each fifth read writes the record again.</summary>
internal sealed class WritesWhenRead(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    private int _reads;

    public override async Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken)
    {
        var answer = await base.ReadAsync(self, cancellationToken);
        return answer.Record is { } record && Interlocked.Increment(ref _reads) % 5 == 0
            ? await base.TryWriteAsync(record, answer.Version, self, cancellationToken) with { Written = false }
            : answer;
    }
}

internal sealed class IgnoresFiredTokens(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken) => base.ReadAsync(self, CancellationToken.None);
}

internal sealed class BreaksWhenCancelled(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    private bool _broken;

    public override async Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember self, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (cancellationToken.CanBeCanceled)
        {
            _broken = await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken).ContinueWith(delay => delay.IsCanceled, TaskScheduler.Default);
            cancellationToken.ThrowIfCancellationRequested();
        }

        return _broken
            ? throw new InvalidOperationException("The connection is in use.")
            : await base.TryWriteAsync(record, expected, self, cancellationToken);
    }
}

internal sealed class WaitsForEver(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override async Task WaitForChangeAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await base.WaitForChangeAsync(CancellationToken.None);
    }
}

internal sealed class NeverWakes(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override async Task WaitForChangeAsync(CancellationToken cancellationToken)
    {
        var end = base.WaitForChangeAsync(cancellationToken);
        while (!end.IsFaulted && !end.IsCanceled)
        {
            await end;
            end = base.WaitForChangeAsync(cancellationToken);
        }

        await end;
    }
}

internal sealed class WaitsBeyondItsEnd(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override async Task WaitForChangeAsync(CancellationToken cancellationToken)
    {
        try
        {
            await base.WaitForChangeAsync(cancellationToken);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
    }
}

internal sealed class EndsOnce(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    private bool _ended;

    public override ValueTask DisposeAsync()
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        _ended = true;
        return base.DisposeAsync();
    }
}

/// <summary>Notes members as they were when they first came.</summary>
internal sealed class NotesOnce(InMemoryLeaseStore inner, Dictionary<string, LeaseMember> first) : BrokenStore(inner)
{
    public override async Task<LeaseAnswer> ReadAsync(LeaseMember self, CancellationToken cancellationToken)
    {
        first.TryAdd(self.Incarnation, self);
        var answer = await base.ReadAsync(self, cancellationToken);
        return answer with { Members = [.. answer.Members!.Select(m => first.GetValueOrDefault(m.Incarnation, m) with { Age = m.Age })] };
    }
}

internal sealed class NeverForgets(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override Task LeaveAsync(LeaseMember self, CancellationToken cancellationToken) => Inner.LeaveAsync(self with { NodeId = "nobody" }, cancellationToken);
}

internal sealed class ForgetsByNodeId(InMemoryLeaseStore inner) : BrokenStore(inner)
{
    public override async Task LeaveAsync(LeaseMember self, CancellationToken cancellationToken)
    {
        var answer = await base.ReadAsync(self, cancellationToken);
        foreach (var member in answer.Members!.Where(member => member.NodeId == self.NodeId))
        {
            await base.LeaveAsync(member, cancellationToken);
        }
    }
}
