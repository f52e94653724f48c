namespace Ha.Election;

/// <summary>The pure state machine; see docs/protocol.md.</summary>
internal sealed class ElectionCore(ElectionConfig config)
{
    public ElectionConfig Config { get; } = config;
}
