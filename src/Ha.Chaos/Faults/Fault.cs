namespace Ha.Chaos.Faults;

/// <summary>One way to disturb the cluster.</summary>
/// <param name="Name">As <c>--faults</c> and the report call it.</param>
/// <param name="RunAsync">Disturbs, holds on for a while, and heals, also when cancelled. Returns what it did, for people.</param>
internal sealed record Fault(string Name, Func<FaultContext, Task<string>> RunAsync)
{
    /// <summary>Uses the firewall of the nodes; two such faults would heal each other.</summary>
    public bool OnNetwork { get; init; }

    /// <summary>Starts and ends processes; two such faults would be in each other's way.</summary>
    public bool OnProcesses { get; init; }

    /// <summary>Disturbs the store that elects; two such faults would heal each other.</summary>
    public bool OnStore { get; init; }

    /// <summary>Aims at one node, half of the time at the leader.</summary>
    public bool HasTarget { get; init; } = true;

    /// <summary>Why it cannot be made in this run, or null.</summary>
    public Func<Machine, string?> WhyNot { get; init; } = _ => null;
}
