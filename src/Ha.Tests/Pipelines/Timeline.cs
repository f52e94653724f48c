namespace Ha.Tests.Pipelines;

/// <summary>Makes happen what a case foresees, each when its moment comes for the first time.</summary>
internal sealed class Timeline(PipelineCase drawn, Cluster cluster) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<Happening> _waiting = [.. drawn.Happenings];
    private readonly CancellationTokenSource[] _leaving = [.. drawn.Requests.Select(_ => new CancellationTokenSource())];

    /// <summary>Fires when the client of this request leaves.</summary>
    public CancellationToken Leaves(int request) => _leaving[request].Token;

    public bool Expects(int request, Moment moment)
    {
        lock (_lock)
        {
            return _waiting.Exists(h => h.Request == request && h.Moment == moment);
        }
    }

    /// <summary>What is due has happened once this is done.</summary>
    public Task ReachAsync(int request, Moment moment)
    {
        List<Happening> due;
        lock (_lock)
        {
            due = _waiting.FindAll(h => h.Request == request && h.Moment == moment);
            if (due.Count == 0)
            {
                return Task.CompletedTask;
            }

            _waiting.RemoveAll(due.Contains);
        }

        // As the election would: from outside of the request.
        return Task.Run(() => due.ForEach(Apply));
    }

    public Task LoseLeaseAsync() => Task.Run(() => cluster.Apply(Change.Lose));

    public void Dispose() => Array.ForEach(_leaving, source => source.Dispose());

    private void Apply(Happening happening)
    {
        if (happening.Change == Change.ClientLeaves)
        {
            _leaving[happening.Request].Cancel();
        }
        else
        {
            cluster.Apply(happening.Change);
        }
    }
}
