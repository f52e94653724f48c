using System.Collections.Concurrent;

namespace Ha.Testing.Conformance;

/// <summary>What one run of a check works with: a cluster of its own, clients of it, and their end.</summary>
internal sealed class ConformanceRoom(
    Func<string, Task<ILeaseStore>> create,
    Func<string, Task<bool>> delete,
    bool notifies,
    bool keepsMembers,
    TimeSpan patience)
{
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(10);

    private readonly ConcurrentBag<ILeaseStore> _clients = [];

    public bool Notifies => notifies;

    public bool KeepsMembers => keepsMembers;

    public string ClusterId { get; } = NewClusterId();

    public static string NewClusterId() => $"conformance-{Guid.NewGuid():N}";

    public Task<ILeaseStore> ClientAsync() => ClientAsync(ClusterId);

    public async Task<ILeaseStore> ClientAsync(string clusterId)
    {
        var client = await create(clusterId);
        _clients.Add(client);
        return client;
    }

    /// <summary>False: the store under test has no way to.</summary>
    public Task<bool> DeleteRecordAsync() => delete(ClusterId);

    /// <summary>Asks again and again until it holds; a store that never gets there is at fault.</summary>
    public async Task UntilAsync(Func<Task<bool>> holds, string expected)
    {
        using var deadline = new CancellationTokenSource(patience / 2);
        while (!await holds())
        {
            await Task.Delay(_pause, deadline.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Expect.That(!deadline.IsCancellationRequested, $"expected {expected} within {patience / 2}");
        }
    }

    /// <summary>Ends the clients, with patience; whether they can end is a check of its own.</summary>
    public async Task CloseAsync() =>
        await Task.WhenAll(_clients.Select(client => Task.Run(() => client.DisposeAsync().AsTask())))
            .WaitAsync(patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
