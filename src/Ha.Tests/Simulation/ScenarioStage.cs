using System.Globalization;
using Ha.Election;

namespace Ha.Tests.Simulation;

/// <summary>The cluster of a scenario, and what its script remembers.</summary>
internal sealed class ScenarioStage
{
    private readonly List<NodeSetup> _setups = [];
    private World? _world;
    private long _delay = 300;
    private long[] _heardAtMark = [];
    private bool _twoLeadersAllowed;

    public bool HasWorld => _world is not null;

    /// <summary>Made at first use, so that all <c>node</c> lines come before.</summary>
    public World World => _world ??= Make();

    public Dictionary<string, SimWriter> Writes { get; } = new(StringComparer.Ordinal);
    public string LastStepDown { get; set; } = "none";
    public long EpochAtMark { get; private set; }
    public long ChangesAtMark { get; private set; }

    public void Cluster(string[] words)
    {
        string[] names = [.. words.TakeWhile(word => word.Length == 1 && char.IsAsciiLetterUpper(word[0]))];
        var plain = new NodeSetup
        {
            Id = "?",
            Target = "?",
            Members = [.. names.Select(Target)],
            IntervalMicros = 500_000,
            LeaseMicros = 1_500_000,
            Majority = names.Length >= 3,
            Preempt = PreemptMode.Never,
            DrainMicros = 2_000_000,
        };
        var shared = With(plain, words[names.Length..]);
        foreach (string name in names)
            _setups.Add(shared with { Id = name, Target = Target(name) });
    }

    public void Configure(string name, string[] words)
    {
        int index = _setups.FindIndex(setup => setup.Target == Target(name));
        if (index < 0)
            throw new ScenarioException($"there is no node {name}");

        _setups[index] = With(_setups[index], words);
        if (_world is not null)
            _world.Nodes[index].Setup = _setups[index];
    }

    public void AllowTwoLeaders() => _twoLeadersAllowed = true;

    public SimNode Node(string name) =>
        World.Find(Target(name)) ?? throw new ScenarioException($"there is no node {name}");

    /// <summary>A world index; -1 for <c>*</c>.</summary>
    public int Index(string name) => name == "*" ? -1 : Node(name).Index;

    public ElectionCore Core(string name) =>
        Node(name).Core ?? throw new ScenarioException($"{name} is not running");

    public void Mark()
    {
        EpochAtMark = World.Epochs.Highest;
        ChangesAtMark = World.Counts.LeaderChanges;
        int kinds = World.Nodes[0].Heard.Length;
        _heardAtMark = new long[World.Nodes.Length * kinds];
        foreach (var node in World.Nodes)
        {
            for (int kind = 0; kind < kinds; kind++)
                _heardAtMark[node.Index * kinds + kind] = node.Heard[kind];
        }
    }

    /// <summary>How often the node told of such an event since the last mark.</summary>
    public long Heard(string name, string kindName)
    {
        if (!Enum.TryParse<ElectionEventKind>(kindName, out var kind))
            throw new ScenarioException($"there is no event {kindName}");

        var node = Node(name);
        long before = _heardAtMark.Length == 0 ? 0 : _heardAtMark[node.Index * node.Heard.Length + (int)kind];
        return node.Heard[(int)kind] - before;
    }

    public string Situation()
    {
        var parts = World.Nodes.Select(node => node.Core is not { } core
            ? $"{node.Name} is down"
            : $"{node.Name} {(node.LeadsNow() ? "leads with " + SimTrace.Epoch(core.Epoch) : core.Role.ToString())}"
                + $"{(node.Paused ? " (stopped)" : "")}, its vote: {core.Voter.Holder?.Id ?? "free"}");
        return $"at {SimTrace.Millis(World.Now)} {string.Join("; ", parts)}{string.Concat(Writes.Select(write => $"; {write.Key} {write.Value.Outcome}"))}";
    }

    public static string Target(string name) => $"http://{name.ToLowerInvariant()}";

    private World Make() => new(new WorldSettings
    {
        Seed = 1,
        Nodes = _setups,
        DelayMinMicros = _delay,
        DelayMaxMicros = _delay,
        SingleLease = !_twoLeadersAllowed,
        Promises = !_twoLeadersAllowed && _setups.Exists(setup => setup.Majority && setup.Members.Count > 1),
        Epochs = _twoLeadersAllowed ? EpochRule.None
            : _setups.Exists(setup => setup.AwaitEpochFloor) ? EpochRule.RisingForWrites : EpochRule.Rising,
        Trace = true,
    });

    private NodeSetup With(NodeSetup setup, string[] words)
    {
        for (int i = 0; i < words.Length; i++)
        {
            string Next() => ++i < words.Length ? words[i] : throw new ScenarioException($"{words[^1]} needs a value");
            switch (words[i])
            {
                case "interval":
                    setup = setup with { IntervalMicros = Scenario.Duration(Next()) };
                    break;
                case "lease":
                    setup = setup with { LeaseMicros = Scenario.Duration(Next()) };
                    break;
                case "drain":
                    setup = setup with { DrainMicros = Scenario.Duration(Next()) };
                    break;
                case "delay":
                    _delay = Scenario.Duration(Next());
                    break;
                case "wall":
                    setup = setup with { WallSkewMicros = Scenario.Duration(Next()) };
                    break;
                case "rate":
                    setup = setup with { RatePpm = int.Parse(Next(), CultureInfo.InvariantCulture) };
                    break;
                case "ready":
                    setup = setup with { ReadyAfterMicros = Scenario.Duration(Next()) };
                    break;
                case "id":
                    setup = setup with { Id = Next() };
                    break;
                case "members":
                    setup = setup with { Members = [.. Next().Select(name => Target(name.ToString()))] };
                    break;
                case "preempt":
                    setup = setup with { Preempt = Enum.Parse<PreemptMode>(Next(), ignoreCase: true) };
                    break;
                case "off":
                    setup = setup with { Majority = false };
                    break;
                case "majority":
                    setup = setup with { Majority = true };
                    break;
                case "witness":
                    setup = setup with { Witness = true };
                    break;
                case "floor":
                    setup = setup with { AwaitEpochFloor = true };
                    break;
                default:
                    throw new ScenarioException($"'{words[i]}' is no setting");
            }
        }

        return setup;
    }
}
