using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Ha.Tests.Processes;

namespace Ha.Tests.Balancers;

/// <summary>One reader per door, each with one request after the other, until stopped.</summary>
internal sealed class SteadyReads : IAsyncDisposable
{
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(20);

    private readonly CancellationTokenSource _stop = new();
    private readonly ExampleCluster _cluster;
    private readonly Task _readers;
    private int _ok;

    public SteadyReads(ExampleCluster cluster, Door[] doors)
    {
        _cluster = cluster;
        _readers = Task.WhenAll(doors.Select(ReadAsync));
    }

    public int Ok => _ok;

    /// <summary>What reads that failed were told.</summary>
    public ConcurrentQueue<string> Failures { get; } = new();

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _readers;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever went wrong is what the test asks for.")]
    private async Task ReadAsync(Door door)
    {
        await Task.Yield();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var answer = await _cluster.SendAsync(door, "GET", "/notes?limit=1");
                if (answer.Status == 200)
                {
                    Interlocked.Increment(ref _ok);
                }
                else
                {
                    Failures.Enqueue($"{door.Id}: {answer.Status} {answer.Body}");
                }
            }
            catch (Exception e)
            {
                Failures.Enqueue($"{door.Id}: {e.Message}");
            }

            await Task.Delay(_pause);
        }
    }
}
