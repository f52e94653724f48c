using System.Text;

namespace Ha.Tests.Simulation;

/// <summary>A run as text for people.</summary>
internal static class Story
{
    public static string Of(RunResult result, int lastLines)
    {
        var text = new StringBuilder();
        text.Append("seed ").Append(result.Seed).Append(": ").Append(result.Settings).Append('\n');
        string[] lines = result.Trace.Split('\n');
        int first = Math.Max(0, lines.Length - (long)lastLines is < 0 ? 0 : lines.Length - lastLines);
        if (first > 0)
            text.Append("   … ").Append(first).Append(" lines before\n");

        for (int i = first; i < lines.Length; i++)
            text.Append(lines[i]).Append('\n');

        text.Append(result.Violation is { } broken
            ? $"BROKEN at {broken.Time / 1e6:0.000000} s: {broken.Invariant}: {broken.Detail}"
            : $"kept all promises over {result.SimulatedMicros / 1e6:0.0} s");
        return text.ToString();
    }
}
