using System.Collections.Concurrent;

namespace Ha.Tests.Pipelines;

/// <summary>Runs many cases on some pairs of nodes at once.</summary>
internal sealed class PipelineRuns
{
    // What routing and the caches of a process keep of each pipeline is dropped with its services.
    private const int CasesPerPair = 200;

    private readonly ConcurrentQueue<CaseResult> _failed = new();
    private long _cases;
    private long _requests;

    public Sabotage Sabotage { get; init; } = Sabotage.None;

    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(10);

    public int Workers { get; init; } = 4 * Environment.ProcessorCount;

    /// <summary>Stops after so many cases that broke a promise.</summary>
    public int MostFailures { get; init; } = int.MaxValue;

    /// <summary>Called after each case, from any thread.</summary>
    public Action<CaseResult> Finished { get; init; } = static _ => { };

    public long Cases => Interlocked.Read(ref _cases);

    public long Requests => Interlocked.Read(ref _requests);

    public IReadOnlyCollection<CaseResult> Failed => _failed;

    public async Task RunAsync(IReadOnlyList<int> seeds)
    {
        var next = new ConcurrentQueue<int>(seeds);
        await Task.WhenAll(Enumerable.Range(0, Math.Min(Workers, seeds.Count)).Select(_ => Task.Run(() => WorkAsync(next))));
    }

    private async Task WorkAsync(ConcurrentQueue<int> next)
    {
        NodePair? pair = null;
        try
        {
            while (_failed.Count < MostFailures && next.TryDequeue(out var seed))
            {
                pair ??= await NodePair.StartAsync();
                var runner = new CaseRunner(pair, Sabotage, Patience);
                Count(await runner.RunAsync(CaseGenerator.Of(seed)));
                if (!runner.IsUsable || pair.Served.Count >= CasesPerPair)
                {
                    await pair.DisposeAsync();
                    pair = null;
                }
            }
        }
        finally
        {
            if (pair is not null)
            {
                await pair.DisposeAsync();
            }
        }
    }

    private void Count(CaseResult result)
    {
        Interlocked.Increment(ref _cases);
        Interlocked.Add(ref _requests, result.Requests);
        if (result.Violations.Count > 0)
        {
            _failed.Enqueue(result);
        }

        Finished(result);
    }
}
