using System.CommandLine.Parsing;
using System.Globalization;

namespace Ha.Cli.Cluster;

/// <summary>Durations as a person types them: <c>500ms</c>, <c>1.5s</c>, <c>2m</c>, <c>00:00:30</c>.</summary>
internal static class Durations
{
    private static readonly (string Suffix, double Milliseconds)[] _units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

    public static bool TryParse(string text, out TimeSpan duration)
    {
        foreach (var (suffix, milliseconds) in _units)
        {
            if (text.EndsWith(suffix, StringComparison.Ordinal)
                && double.TryParse(text[..^suffix.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var count))
            {
                duration = TimeSpan.FromMilliseconds(count * milliseconds);
                return true;
            }
        }

        // A bare number would be days; nobody means that.
        duration = TimeSpan.Zero;
        return text.Contains(':') && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out duration);
    }

    /// <summary>For System.CommandLine options.</summary>
    public static TimeSpan? Parse(ArgumentResult argument)
    {
        var text = argument.Tokens.Count == 1 ? argument.Tokens[0].Value : "";
        if (TryParse(text, out var duration) && duration > TimeSpan.Zero)
        {
            return duration;
        }

        argument.AddError($"'{text}' is not a duration; write 500ms, 1.5s or 2m.");
        return null;
    }

    public static string Show(TimeSpan duration) => duration.TotalMilliseconds switch
    {
        < 1000 => $"{duration.TotalMilliseconds:0} ms",
        < 100_000 => $"{duration.TotalSeconds:0.0} s",
        _ => $"{(int)duration.TotalMinutes}m{duration.Seconds:00}s",
    };
}
