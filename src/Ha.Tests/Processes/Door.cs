using Ha.Cli.Cluster;

namespace Ha.Tests.Processes;

/// <summary>Where a request goes in: a node, or a balancer before the nodes.</summary>
internal sealed record Door(string Id, string Url)
{
    public static implicit operator Door(NodeProcess node) => new(node.Id, node.Url);
}
