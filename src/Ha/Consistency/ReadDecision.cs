using System.Runtime.InteropServices;

namespace Ha.Consistency;

/// <summary>What becomes of a read that says what it must see.</summary>
internal enum ReadStep
{
    /// <summary>Served here.</summary>
    Serve,

    /// <summary>One look at this node's replica, and served here if that has reached it.</summary>
    Look,

    /// <summary>The same, as long as a read may wait.</summary>
    Wait,

    /// <summary>It reads what the leader writes to: here where this node leads, else it goes there.</summary>
    Leader,

    /// <summary>This node leads, and has been followed by another: nobody here can serve it.</summary>
    Refuse,

    /// <summary>Its client has left.</summary>
    GiveUp,
}

/// <summary>What the decision looks at.</summary>
/// <param name="Wanted">What the read must see; its signature is good.</param>
/// <param name="Epoch">Of the leader that this node knows; 0: of none.</param>
/// <param name="Leads">This node does.</param>
/// <param name="Forwarded">Another node sent it here, because it needs the leader.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ReadFacts(ReadPosition Wanted, long Epoch, bool Leads, bool Forwarded);

/// <summary>Decides and touches nothing.</summary>
internal static class ReadDecision
{
    /// <summary>Before anybody has looked at the replica.</summary>
    public static ReadStep Begin(in ReadFacts facts) =>
        facts.Forwarded || (facts.Leads && facts.Wanted.Epoch <= facts.Epoch) ? AtLast(facts)

            // Nobody knows whether the data of an earlier leader is all there: waiting for it may be in vain.
            : facts.Wanted.Epoch < facts.Epoch ? ReadStep.Look
            : ReadStep.Wait;

    /// <summary>When the replica has not reached it.</summary>
    public static ReadStep AtLast(in ReadFacts facts) =>
        facts.Leads && facts.Wanted.Epoch > facts.Epoch ? ReadStep.Refuse : ReadStep.Leader;
}
