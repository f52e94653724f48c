namespace Ha.Testing.Virtual;

/// <summary>One node's way to the lease store, through the network in memory. Thread-safe.</summary>
internal sealed class NodeStore(TestProcess self, Network network, InMemoryLeaseStore store, Action written) : ILeaseStore
{
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = new();

    public string Description => store.Description;

    public Task<LeaseAnswer> ReadAsync(LeaseMember member, CancellationToken cancellationToken) =>
        AskAsync(() => store.ReadAsync(member, CancellationToken.None), cancellationToken);

    public Task<LeaseAnswer> TryWriteAsync(LeaseRecord record, string? expected, LeaseMember member, CancellationToken cancellationToken) =>
        AskAsync(() => store.TryWriteAsync(record, expected, member, CancellationToken.None), cancellationToken);

    public async Task WaitForChangeAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            changed = _changed;
        }

        await changed.Task.WaitAsync(cancellationToken);
    }

    /// <summary>A process that ends does so at once here; one that is dead says nothing.</summary>
    public Task LeaveAsync(LeaseMember member, CancellationToken cancellationToken) =>
        self.Life.IsDead || network.IsCut(self.Id, TestCluster.Store) ? Task.CompletedTask : store.LeaveAsync(member, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>The store's word that something has changed is on its way.</summary>
    public void Tell() => network.Send(TestCluster.Store, self.Id, self.Life, () =>
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            (changed, _changed) = (_changed, new TaskCompletionSource());
        }

        changed.SetResult();
    });

    private async Task<LeaseAnswer> AskAsync(Func<Task<LeaseAnswer>> ask, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<LeaseAnswer>();
        network.Send(self.Id, TestCluster.Store, life: null, () =>
        {
            // Done when it returns, as everything in that store.
            var asked = ask();
            if (asked is { IsCompletedSuccessfully: true, Result.Written: true })
            {
                written();
            }

            network.Send(TestCluster.Store, self.Id, self.Life, () => _ = asked.IsCompletedSuccessfully
                ? answer.TrySetResult(asked.Result)
                : answer.TrySetException(asked.Exception!.InnerExceptions));
        });
        using var given = cancellationToken.UnsafeRegister(
            static (state, token) => ((TaskCompletionSource<LeaseAnswer>)state!).TrySetCanceled(token), answer);
        return await answer.Task;
    }
}
