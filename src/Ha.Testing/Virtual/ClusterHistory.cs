using System.Globalization;

namespace Ha.Testing.Virtual;

/// <summary>What the nodes saw, and whether it ever was what must not be. Not thread-safe.</summary>
internal sealed class ClusterHistory(VirtualTime time, TestNode[] nodes)
{
    private const int LinesShown = 30;

    private readonly List<string> _lines = [];
    private readonly (LeadershipSnapshot? Snapshot, bool Valid)[] _seen = new (LeadershipSnapshot?, bool)[nodes.Length];
    private readonly string?[] _views = new string?[nodes.Length];
    private readonly HashSet<(TestProcess Process, long Epoch)> _terms = [];
    private (string? NodeId, long Epoch) _last;

    public IReadOnlyList<string> Lines => [.. _lines];

    /// <summary>The first moment at which two nodes led; null: there was none.</summary>
    public string? TwoLeaders { get; private set; }

    /// <summary>The first leadership with an epoch that was not new; null: there was none.</summary>
    public string? FallenEpoch { get; private set; }

    public void Add(string line) => _lines.Add($"{Now,9} {line}");

    public void Look()
    {
        for (var i = 0; i < nodes.Length; i++)
        {
            // Whether the node lives, and the rest of what it shows, changes with the snapshot or is said when it is done to it.
            var now = nodes[i].Current;
            var seen = (now, now.KnowsLeader && (!now.LeadsSelf || now.IsLeader));
            if (seen == _seen[i])
            {
                continue;
            }

            _seen[i] = seen;
            if (nodes[i].Describe() is var view && view != _views[i])
            {
                _views[i] = view;
                Add($"{nodes[i].Id} {view}");
            }
        }

        var leaders = Array.FindAll(nodes, node => node.IsLeader);
        if (leaders.Length > 1)
        {
            TwoLeaders ??= $"at {Now} {string.Join(" and ", leaders.Select(node => node.ToString()))}";
        }

        foreach (var leader in leaders)
        {
            var epoch = leader.Current.Epoch;
            if (!_terms.Add((leader.Process, epoch)))
            {
                continue;
            }

            if (epoch <= _last.Epoch)
            {
                FallenEpoch ??= $"at {Now} {leader} after {_last.NodeId} led in epoch {_last.Epoch}";
            }

            _last = (leader.Id, Math.Max(epoch, _last.Epoch));
        }
    }

    public string Explain(string fault) => string.Join(Environment.NewLine,
    [
        $"{fault}; it is {Now}, and this is how they see it:",
        .. nodes.Select(node => $"  {node}"),
        $"What happened{(_lines.Count > LinesShown ? ", the last of it" : "")}:",
        .. _lines.TakeLast(LinesShown).Select(line => $"  {line}"),
    ]);

    private string Now => string.Create(CultureInfo.InvariantCulture, $"{time.Elapsed.TotalSeconds:0.000} s");
}
