namespace Ha.Chaos.Nodes;

/// <summary>Where a server listens.</summary>
/// <param name="Namespace">The network namespace it runs in; null: this program's own.</param>
/// <param name="Address">Its address there.</param>
/// <param name="Port">Its port there.</param>
internal sealed record Place(string? Namespace, string Address, int Port)
{
    /// <summary>A command that runs there.</summary>
    public string[] Run(params string[] command) => Namespace is null ? command : ["ip", "netns", "exec", Namespace, .. command];
}
