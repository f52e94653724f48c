using System.Globalization;
using System.Text;

namespace Ha.Benchmarks.Members;

/// <summary>How the cost of one member grows with their number, as a picture that any browser shows.</summary>
internal static class MembersPlot
{
    private const int Width = 640;
    private const int Height = 360;
    private const int Margin = 56;

    public static string Draw(IReadOnlyList<MembersRow> rows)
    {
        var svg = new StringBuilder();
        svg.AppendLine(CultureInfo.InvariantCulture, $"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {Height}" font-family="sans-serif" font-size="12">""");
        svg.AppendLine("""<rect width="100%" height="100%" fill="#fff"/>""");
        svg.AppendLine("""<text x="56" y="22" font-size="14">Heartbeats every 500 ms: cost of one member (both axes logarithmic)</text>""");
        foreach (var count in new[] { 3, 9, 25, 50, 100 })
        {
            Line(svg, X(count), Margin - 10, X(count), Height - Margin, "#ddd");
            Text(svg, X(count), Height - Margin + 16, "middle", $"{count}", "#333");
        }

        foreach (var tick in new[] { 0.01, 0.1, 1, 10, 100 })
        {
            Line(svg, Margin, Y(tick), Width - Margin, Y(tick), "#ddd");
            Text(svg, Margin - 6, Y(tick) + 4, "end", tick.ToString(CultureInfo.InvariantCulture), "#333");
        }

        Text(svg, Width / 2, Height - 12, "middle", "members", "#333");
        Series(svg, rows.Where(row => !row.Simulated), row => 100 * row.CpuShare, "#c0392b", "CPU, % of a core", 0);
        Series(svg, rows.Where(row => row.Simulated), row => 100 * row.CpuShare, "#e6a39b", "CPU, %, simulated (no sockets)", 1);
        Series(svg, rows.Where(row => !row.Simulated), row => row.BytesPerSecond / 1000, "#2471a3", "kB/s sent", 2);
        Series(svg, rows.Where(row => row.Simulated), row => row.BytesPerSecond / 1000, "#9cc3de", "kB/s sent, simulated", 3);
        return svg.AppendLine("</svg>").ToString();
    }

    private static void Series(StringBuilder svg, IEnumerable<MembersRow> rows, Func<MembersRow, double> value, string colour, string name, int line)
    {
        var points = rows.Select(row => FormattableString.Invariant($"{X(row.Count):F1},{Y(value(row)):F1}")).ToList();
        svg.AppendLine($"""<polyline fill="none" stroke="{colour}" stroke-width="2" points="{string.Join(' ', points)}"/>""");
        foreach (var point in points)
        {
            var parts = point.Split(',');
            svg.AppendLine($"""<circle cx="{parts[0]}" cy="{parts[1]}" r="3" fill="{colour}"/>""");
        }

        Text(svg, Margin + 10, Margin + 8 + (16 * line), "start", name, colour);
    }

    private static double X(double count) => Margin + ((Width - (2 * Margin)) * Math.Log(count / 2) / Math.Log(125 / 2.0));

    private static double Y(double value) => Height - Margin - ((Height - (2 * Margin)) * Math.Log(Math.Max(value, 0.005) / 0.005) / Math.Log(500 / 0.005));

    private static void Line(StringBuilder svg, double x1, double y1, double x2, double y2, string colour) =>
        svg.AppendLine(FormattableString.Invariant($"""<line x1="{x1:F1}" y1="{y1:F1}" x2="{x2:F1}" y2="{y2:F1}" stroke="{colour}"/>"""));

    private static void Text(StringBuilder svg, double x, double y, string anchor, string text, string colour) =>
        svg.AppendLine(FormattableString.Invariant($"""<text x="{x:F1}" y="{y:F1}" text-anchor="{anchor}" fill="{colour}">{text}</text>"""));
}
