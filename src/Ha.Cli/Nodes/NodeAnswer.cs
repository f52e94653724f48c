using Ha.Endpoints;

namespace Ha.Cli.Nodes;

/// <summary>Why a node did not do what it was asked.</summary>
/// <param name="Code">For scripts.</param>
/// <param name="Words">A clause about the node, for people.</param>
internal sealed record Trouble(ExitCode Code, string Words);

/// <summary>What a node says of itself and of the others, or why it says nothing.</summary>
/// <param name="Url">Where it was asked.</param>
internal sealed record NodeAnswer(string Url)
{
    /// <summary>Null: it says nothing.</summary>
    public LeaderAnswer? Leader { get; init; }

    /// <summary>Null: it says nothing.</summary>
    public PeerAnswer? Self { get; init; }

    /// <summary>All members as it sees them.</summary>
    public IReadOnlyList<PeerAnswer> Members { get; init; } = [];

    /// <summary>Null: it told everything.</summary>
    public Trouble? Trouble { get; init; }

    public bool Leads => Leader is { IsSelf: true };

    /// <summary>False: its leader is fixed, or a provider of the application's own says who it is, so it cannot tell who is up.</summary>
    public bool HearsOthers => Leader is { Quorum: not ("static" or "provider") };
}

/// <summary>What came of a request to do something.</summary>
/// <param name="Successor">Who leads next or leads now; empty: nobody is known to.</param>
/// <param name="Trouble">Null: it is done, or has begun.</param>
internal sealed record ActionAnswer(string Successor, Trouble? Trouble = null);
