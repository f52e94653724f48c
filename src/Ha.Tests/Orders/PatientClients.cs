using System.Collections.Concurrent;
using Ha.Tests.Processes;
using Ha.Tests.Support;

namespace Ha.Tests.Orders;

/// <summary>Clients that place one order after the other, each until it is confirmed, through all nodes in turn.</summary>
internal sealed class PatientClients : IAsyncDisposable
{
    private const int Products = 20;
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(20);

    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<string> _acknowledged = new();
    private readonly ExampleCluster _cluster;
    private readonly Task _clients;
    private int _orders;
    private int _repeats;
    private int _unknown;
    private int _replayed;

    public PatientClients(ExampleCluster cluster, int clients)
    {
        _cluster = cluster;
        _clients = Task.WhenAll(Enumerable.Range(0, clients).Select(_ => RunAsync()));
    }

    /// <summary>The customers whose orders were confirmed.</summary>
    public IReadOnlyCollection<string> Acknowledged => _acknowledged;

    /// <summary>How many requests were not a first one.</summary>
    public int Repeats => Volatile.Read(ref _repeats);

    /// <summary>How many were answered 502, outcome unknown.</summary>
    public int Unknown => Volatile.Read(ref _unknown);

    /// <summary>How many orders were confirmed by an answer that was stored before.</summary>
    public int Replayed => Volatile.Read(ref _replayed);

    public Task UntilMoreAsync(int count, TimeSpan within)
    {
        var goal = _acknowledged.Count + count;
        return Eventually.True(() => _acknowledged.Count >= goal, within, $"{count} more orders are confirmed");
    }

    /// <summary>No more orders; those under way are confirmed first.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _clients;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        await Task.Yield();
        while (!_stop.IsCancellationRequested)
        {
            var number = Interlocked.Increment(ref _orders);
            await PlaceAsync($"customer {number}", number);
        }
    }

    private async Task PlaceAsync(string customer, int number)
    {
        var key = Guid.NewGuid().ToString("N");
        using var pause = new PeriodicTimer(_pause);
        for (var attempt = 0; ; attempt++)
        {
            var node = _cluster.Nodes[(number + attempt) % _cluster.Nodes.Count];
            if (await TryAsync(node, customer, key, 1 + (number % Products)))
            {
                _acknowledged.Enqueue(customer);
                return;
            }

            Interlocked.Increment(ref _repeats);
            await pause.WaitForNextTickAsync();
        }
    }

    private async Task<bool> TryAsync(Door door, string customer, string key, int product)
    {
        try
        {
            var answer = await OrdersBed.OrderAsync(_cluster, door, customer, key, product);
            Interlocked.Add(ref _unknown, answer.Status == 502 ? 1 : 0);
            Interlocked.Add(ref _replayed, answer.Status == 201 && answer.Header("Idempotent-Replayed") is not null ? 1 : 0);
            return answer.Status == 201;
        }
        catch (Exception failure) when (failure is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }
}
