using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Ha.Cli.Cluster;
using Ha.Tests.Support;

namespace Ha.Tests.Processes;

/// <summary>One writer per node given, each with one request after the other, until stopped. Follows one redirect.</summary>
internal sealed class SteadyWrites : IAsyncDisposable
{
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(20);

    private readonly CancellationTokenSource _stop = new();
    private readonly ExampleCluster _cluster;
    private readonly Task _writers;
    private int _number;

    public SteadyWrites(ExampleCluster cluster, params NodeProcess[] through)
    {
        _cluster = cluster;
        _writers = Task.WhenAll(through.Select(WriteAsync));
    }

    /// <summary>Send an <c>Idempotency-Key</c> with each write.</summary>
    public bool Keys { get; init; }

    public ConcurrentQueue<WriteResult> Results { get; } = new();

    public int Ok => Results.Count(result => result.Failure is null);

    /// <summary>What writes that failed were told.</summary>
    public IEnumerable<string> Failures => Results.Select(result => result.Failure).OfType<string>();

    public Task UntilMoreAsync(int count)
    {
        var goal = Ok + count;
        return Eventually.True(() => Ok >= goal, TimeSpan.FromSeconds(30), what: $"{count} more writes succeed");
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _writers;
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever went wrong is what the test asks for.")]
    public async Task TryOnceAsync(NodeProcess node, string text)
    {
        var key = Keys ? Guid.NewGuid().ToString("N") : null;
        var due = TimeProvider.System.GetTimestamp();
        string? failure = null, answeredBy = null;
        try
        {
            var answer = await _cluster.AddAsync(node, text, key);
            if (answer.Status == 307)
            {
                var leader = _cluster.Nodes.Single(n => answer.Header("Location")!.StartsWith(n.Url + "/", StringComparison.Ordinal));
                answer = await _cluster.AddAsync(leader, text, key);
            }

            failure = answer.Status == 201 ? null : $"{text} through {node.Id}: {answer.Status} {answer.Body}";
            answeredBy = answer.Header("X-Base-Node");
        }
        catch (Exception e)
        {
            failure = $"{text} through {node.Id}: {e.Message}";
        }

        Results.Enqueue(new WriteResult(text, node, due, TimeProvider.System.GetElapsedTime(due), failure, answeredBy));
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    private async Task WriteAsync(NodeProcess node)
    {
        await Task.Yield();
        while (!_stop.IsCancellationRequested)
        {
            await TryOnceAsync(node, $"write {Interlocked.Increment(ref _number)}");
            await Task.Delay(_pause);
        }
    }
}
