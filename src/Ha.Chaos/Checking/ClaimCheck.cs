using Ha.Chaos.History;

namespace Ha.Chaos.Checking;

/// <summary>
/// With a majority of nodes or a store behind them no two nodes lead at one moment, and later leaderships have higher epochs. A node leads in one epoch
/// without a break, so between its first and its last "I lead" it led all the time.
/// </summary>
internal static class ClaimCheck
{
    public static IEnumerable<string> Violations(IEnumerable<Claim> claims)
    {
        var leaderships = claims.Where(c => c.IsPromised).GroupBy(c => (c.Node, c.Epoch))
            .Select(g => (g.Key.Node, g.Key.Epoch, Zone: Zone.Of(g.Select(c => (c.Asked, c.Answered)), $"{g.Key.Node} in epoch {g.Key.Epoch}")))
            .OrderBy(l => l.Epoch).ToArray();
        for (var i = 0; i < leaderships.Length; i++)
        {
            for (var j = i + 1; j < leaderships.Length; j++)
            {
                var (a, b) = (leaderships[i], leaderships[j]);
                if (a.Node != b.Node && a.Zone.Conflicts(b.Zone))
                {
                    yield return $"two leaders: {a.Zone.What} ({a.Zone.FirstEnd} … {a.Zone.LastBegin}) and {b.Zone.What} ({b.Zone.FirstEnd} … {b.Zone.LastBegin})";
                }
                else if (a.Epoch == b.Epoch ? a.Node != b.Node : b.Zone.MustPrecede(a.Zone))
                {
                    yield return $"epochs do not rise: {b.Zone.What} led before {a.Zone.What}";
                }
            }
        }
    }
}
