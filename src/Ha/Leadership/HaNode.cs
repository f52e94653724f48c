using Ha.Configuration;

namespace Ha.Leadership;

/// <summary>
/// This process as a member of its cluster: the one object that the hosting, the middleware and the endpoints share.
/// </summary>
/// <param name="settings">In effect.</param>
/// <param name="provider">Who leads.</param>
/// <param name="clock">Of leases and waits.</param>
/// <param name="election">
/// Ends with this object, at once and without a handoff: a container may be disposed of without a stop of its host, or after a
/// start that failed. Null: whoever made it ends it.
/// </param>
internal sealed class HaNode(HaSettings settings, ILeaderProvider provider, TimeProvider clock, IDisposable? election = null) : IDisposable
{
    public HaSettings Settings { get; } = settings;

    public ILeaderProvider Provider { get; } = provider;

    /// <summary>Null where nothing can be handed over: inactive, a static leader, or a provider of the application's that has none.</summary>
    public ILeadershipControl? Control { get; } = provider.Control;

    public TimeProvider Clock { get; } = clock;

    public WriteGate Gate { get; } = provider.Control?.Gate ?? new WriteGate();

    public void Dispose() => election?.Dispose();
}
