using Ha.Forwarding;
using Ha.Leadership;

namespace Ha.Tests.Pipelines;

/// <summary>A node of some settings, and what its requests share.</summary>
internal sealed record ForwardingNode(HaNode Node, ForwardingServices Forwarding);
