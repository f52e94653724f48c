namespace Ha.Tests.Architecture;

/// <summary>
/// Which room of the house a type stands in, and which arrows lead from room to room. A room is a folder; a few types that
/// the rule treats otherwise than their folder have a room of their own. docs/architecture.md draws the same.
/// </summary>
internal static class House
{
    /// <summary>What people write; only what turns it into settings reads it.</summary>
    public const string Options = nameof(Options);

    /// <summary>Public types that say something and do nothing.</summary>
    public const string Contracts = nameof(Contracts);

    /// <summary>Public types by which an application comes in. They may use every room; only the hosting uses them.</summary>
    public const string Doors = nameof(Doors);

    /// <summary>What travels between the election and those that carry it or tell of it.</summary>
    public const string Messages = nameof(Messages);

    /// <summary>The settings in effect: all of the configuration that other rooms may use.</summary>
    public const string Settings = nameof(Settings);

    private static readonly Dictionary<string, string> _named = new(StringComparer.Ordinal)
    {
        ["Ha.HaOptions"] = Options,
        ["Ha.LuxLeader"] = Doors,
        ["Ha.StaticLeader"] = Doors,
        ["Ha.LeaderBackgroundService"] = Doors,
        ["Ha.ElectedLeader"] = Doors,
        ["Ha.LeaseLeader"] = Doors,
        ["Ha.HaFence"] = Doors,
        ["Ha.LeaderScope"] = Doors,
        ["Ha.Configuration.HaSettings"] = Settings,
        ["Ha.Election.Beat"] = Messages,
        ["Ha.Election.BeatOp"] = Messages,
        ["Ha.Election.BeatReply"] = Messages,
        ["Ha.Election.BeatStatus"] = Messages,
        ["Ha.Election.CounterConverter"] = Messages,
        ["Ha.Election.DurationConverter"] = Messages,
        ["Ha.Election.ElectionEvent"] = Messages,
        ["Ha.Election.ElectionEventKind"] = Messages,
        ["Ha.Election.EpochConverter"] = Messages,
        ["Ha.Election.GrantFacts"] = Messages,
        ["Ha.Election.IdentityConverter"] = Messages,
        ["Ha.Election.LeaderHint"] = Messages,
        ["Ha.Election.NameConverter"] = Messages,
        ["Ha.Election.NodeFacts"] = Messages,
        ["Ha.Election.NodeRole"] = Messages,
        ["Ha.Election.ReachConverter"] = Messages,
        ["Ha.Election.Refusal"] = Messages,
        ["Ha.Election.UrlConverter"] = Messages,
        ["Ha.Election.WordConverter`1"] = Messages,
        ["Ha.HandoffResult"] = Messages,
        ["Ha.HandoffStart"] = Messages,
        ["Ha.Leadership.BeatExchange"] = Messages,
        ["Ha.Leadership.ExchangeFailure"] = Messages,
    };

    /// <summary>What the rooms above may use, each of them.</summary>
    public static readonly string[] Ground = [Contracts, Settings, "Http", "Telemetry"];

    /// <summary>From each room to those it may use.</summary>
    public static IReadOnlyDictionary<string, string[]> Arrows { get; } = new Dictionary<string, string[]>(StringComparer.Ordinal)
    {
        ["Hosting"] =
        [
            "Endpoints", "Forwarding", "Forwarding.Local", "Forwarding.Proxy", "Consistency", "Heartbeat", "Leadership", "Election", Messages,
            "Security", "Configuration", Options, Doors, .. Ground,
        ],
        ["Endpoints"] = ["Leadership", "Election", Messages, "Security", .. Ground],
        ["Forwarding"] = ["Forwarding.Local", "Forwarding.Proxy", "Consistency", "Leadership", "Security", .. Ground],
        ["Forwarding.Local"] = ["Leadership", .. Ground],
        ["Forwarding.Proxy"] = ["Security", .. Ground],
        ["Consistency"] = ["Security", .. Ground],
        ["Heartbeat"] = [Messages, "Security", .. Ground],
        ["Leadership"] = ["Election", "Leases", Messages, .. Ground],
        ["Leases"] = ["Election", Messages, Contracts, "Http"],
        ["Election"] = [Messages],
        ["Configuration"] = [Options, "Security", .. Ground],
        [Settings] = ["Configuration", Options, "Security", Contracts, "Http"],
        ["Telemetry"] = [Contracts, Messages],
        ["Http"] = [],
        ["Security"] = [],
        [Messages] = ["Http"],
        [Options] = [Contracts],
        [Contracts] = [Messages, "Http"],
    };

    /// <param name="type">Full name of a type of the assembly.</param>
    /// <returns>Null for what the compiler made.</returns>
    public static string? RoomOf(string type)
    {
        var space = type[..Math.Max(0, type.LastIndexOf('.'))];
        return _named.TryGetValue(type, out var room) ? room
            : space == "Ha.Election" && type.Contains("Converter", StringComparison.Ordinal) ? Messages
            : space == "Ha" ? Contracts
            : space.StartsWith("Ha.Forwarding.", StringComparison.Ordinal) ? space["Ha.".Length..]
            : space.StartsWith("Ha.", StringComparison.Ordinal) ? space.Split('.')[1]

            // Extension methods stand in the namespaces of what they extend.
            : space.StartsWith("Microsoft.", StringComparison.Ordinal) && type.Contains(".Ha", StringComparison.Ordinal) ? Doors
            : null;
    }
}
