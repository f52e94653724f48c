namespace Ha.Grpc.Health;

/// <summary>How this node was at one moment.</summary>
internal sealed class HealthMoment(bool leads, bool ready, bool ended)
{
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>It leads, and its lease is valid.</summary>
    public bool Leads { get; } = leads;

    /// <summary>The same as <c>/_ha/healthz/ready</c>.</summary>
    public bool Ready { get; } = ready;

    /// <summary>Nobody is told anything any more: the process stops.</summary>
    public bool Ended { get; } = ended;

    /// <summary>Completes when it is no longer like this.</summary>
    public Task Over => _over.Task;

    public void End() => _over.TrySetResult();
}
