using Ha.Election;

namespace Ha.Telemetry;

/// <param name="At">Wall time, for people.</param>
/// <param name="Kind">What happened.</param>
/// <param name="Node">The node it is about, when it is not this one.</param>
/// <param name="Epoch">The epoch concerned, or 0.</param>
/// <param name="Why">A few words for people.</param>
internal sealed record RecentEvent(DateTimeOffset At, ElectionEventKind Kind, string? Node, long Epoch, string Why);
