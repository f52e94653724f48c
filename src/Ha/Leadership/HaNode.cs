using Ha.Configuration;

namespace Ha.Leadership;

/// <summary>
/// This process as a member of its cluster: the one object that the hosting, the middleware and the endpoints share. It
/// owns the election, so that a container which is disposed of without a stop of its host, or after a start that failed,
/// ends it.
/// </summary>
internal sealed class HaNode(HaSettings settings, ILeaderProvider provider, ElectionRunner? election, TimeProvider clock) : IDisposable
{
    public HaSettings Settings { get; } = settings;

    public ILeaderProvider Provider { get; } = provider;

    /// <summary>Null without an election: inactive, or a static leader.</summary>
    public ElectionRunner? Election { get; } = election;

    public TimeProvider Clock { get; } = clock;

    public WriteGate Gate { get; } = election?.Gate ?? new WriteGate();

    /// <summary>Ends the election, if there is one, and with it all that carries its messages.</summary>
    public void Dispose()
    {
        if (Election is not null)
        {
            (Provider as IDisposable)?.Dispose();
        }
    }
}
