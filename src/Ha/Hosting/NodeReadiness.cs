using Ha.Endpoints;

namespace Ha.Hosting;

/// <summary>The one rule, and the host's shutdown.</summary>
internal sealed class NodeReadiness(ILeaderProvider provider, ShutdownSignal shutdown) : INodeReadiness
{
    public bool IsReady => ReadinessRule.Of(provider.Current, shutdown.Token) == Readiness.Ready;

    public CancellationToken Leaving => shutdown.Token;

    public CancellationToken Closing => shutdown.Closing;
}
