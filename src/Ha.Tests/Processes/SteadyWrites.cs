using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Ha.Tests.Support;
using MinimalApiApp.Cluster;

namespace Ha.Tests.Processes;

/// <summary>One writer per node given, each with one request after the other, until stopped. Follows one redirect.</summary>
internal sealed class SteadyWrites : IAsyncDisposable
{
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(20);

    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<string, long> _acknowledged = new(StringComparer.Ordinal);
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

    public int Ok => _acknowledged.Count;

    /// <summary>What writes that failed were told.</summary>
    public ConcurrentQueue<string> Failures { get; } = new();

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

    public void AssertEveryAcknowledgedNoteIsThereOnce(IReadOnlyList<NoteAnswer> notes)
    {
        var counts = notes.GroupBy(n => n.Text, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        Assert.All(_acknowledged.Keys, text => Assert.Equal((text, 1), (text, counts.GetValueOrDefault(text))));
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever went wrong is what the test asks for.")]
    public async Task TryOnceAsync(NodeProcess node, string text)
    {
        var key = Keys ? Guid.NewGuid().ToString("N") : null;
        try
        {
            var answer = await _cluster.AddAsync(node, text, key);
            if (answer.Status == 307)
            {
                var leader = _cluster.Nodes.Single(n => answer.Header("Location")!.StartsWith(n.Url + "/", StringComparison.Ordinal));
                answer = await _cluster.AddAsync(leader, text, key);
            }

            if (answer.Status == 201)
            {
                _acknowledged[text] = answer.Json.GetProperty("id").GetInt64();
            }
            else
            {
                Failures.Enqueue($"{text} through {node.Id}: {answer.Status} {answer.Body}");
            }
        }
        catch (Exception e)
        {
            Failures.Enqueue($"{text} through {node.Id}: {e.Message}");
        }
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
