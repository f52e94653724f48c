using System.Text.Json.Serialization;

namespace Ha.Chaos.History;

/// <summary>
/// One line of a history. All times are microseconds of one monotonic clock since the run began: that of the process
/// that observed, never a node's.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(RunLine), "run")]
[JsonDerivedType(typeof(Operation), "op")]
[JsonDerivedType(typeof(Claim), "claim")]
[JsonDerivedType(typeof(FaultLine), "fault")]
[JsonDerivedType(typeof(ExitLine), "exit")]
[JsonDerivedType(typeof(Row), "row")]
internal abstract record HistoryLine;

/// <summary>The first line.</summary>
/// <param name="Seed">Where all choices come from.</param>
/// <param name="Nodes">How many.</param>
/// <param name="Database">What the nodes write to.</param>
/// <param name="LeaseMs">The lease timeout.</param>
/// <param name="Command">Draws the same faults again.</param>
/// <param name="Lease">What elects; null: the nodes themselves.</param>
internal sealed record RunLine(int Seed, int Nodes, string Database, double LeaseMs, string Command, string? Lease = null) : HistoryLine;

internal enum OperationKind
{
    /// <summary>Adds a note with a text nobody else writes.</summary>
    Add,

    /// <summary>Replaces a register's text with one nobody else writes.</summary>
    Put,

    /// <summary>Reads a register.</summary>
    Get,
}

internal enum Outcome
{
    Ok,

    /// <summary>The answer, or the lack of a connection, says that nothing was executed.</summary>
    Failed,

    /// <summary>It may have been executed, and may yet be.</summary>
    Unknown,
}

/// <summary>One call of a client, written down when it ended.</summary>
/// <param name="Client">Which program called.</param>
/// <param name="Through">The node that was asked first; empty when the client chose.</param>
/// <param name="Kind">What it did.</param>
/// <param name="Key">The register; empty for <see cref="OperationKind.Add"/>.</param>
/// <param name="Value">The text written, or the text read.</param>
/// <param name="Invoked">Before the first byte was sent.</param>
/// <param name="Completed">After the answer was read, or the call given up.</param>
/// <param name="Outcome">What the client knows.</param>
/// <param name="Status">The last status; 0 without an answer.</param>
/// <param name="NoteId">The id in the answer; 0 without.</param>
/// <param name="Node">The node in the answer, which says that it wrote.</param>
/// <param name="Epoch">The epoch in the answer; 0 without.</param>
/// <param name="Why">What went wrong, for people.</param>
internal sealed record Operation(
    string Client, string Through, OperationKind Kind, string Key, string Value, long Invoked, long Completed,
    Outcome Outcome, int Status, long NoteId = 0, string Node = "", long Epoch = 0, string? Why = null) : HistoryLine
{
    [JsonIgnore]
    public bool IsWrite => Kind != OperationKind.Get;
}

/// <summary>A node said "I lead", at some moment between the two times.</summary>
/// <param name="Node">The node that was asked, by the name the harness gave it.</param>
/// <param name="Asked">Before the question was sent.</param>
/// <param name="Answered">After the answer was read.</param>
/// <param name="Epoch">The epoch it leads in.</param>
/// <param name="LeaseMs">What it thought was left of its lease.</param>
/// <param name="Quorum">The mode it runs in.</param>
internal sealed record Claim(string Node, long Asked, long Answered, long Epoch, double LeaseMs, string Quorum) : HistoryLine
{
    /// <summary>A majority of the nodes, or a store, promises that there is no other leader.</summary>
    [JsonIgnore]
    public bool IsPromised => Quorum is "majority" or "store";
}

internal enum FaultPhase
{
    Begin,
    Healed,

    /// <summary>A write through every node was acknowledged.</summary>
    Recovered,

    /// <summary>That did not happen in time.</summary>
    Stuck,
}

/// <summary>What the harness did to the cluster.</summary>
internal sealed record FaultLine(string Name, FaultPhase Phase, long At, string Target, bool HitLeader, string? Detail = null) : HistoryLine;

/// <summary>A node's process ended although nobody had ended it.</summary>
internal sealed record ExitLine(string Node, int Code, long At, string Fault) : HistoryLine;

/// <summary>A note as it was in the database at the end, read at <paramref name="At"/> or a moment later.</summary>
internal sealed record Row(long Id, string Text, string Node, long Epoch, long At) : HistoryLine;
