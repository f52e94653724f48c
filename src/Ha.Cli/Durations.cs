using System.CommandLine.Parsing;
using Ha.Configuration;

namespace Ha.Cli;

/// <summary>Durations for people.</summary>
internal static class Durations
{
    /// <summary>For System.CommandLine options.</summary>
    public static TimeSpan? Parse(ArgumentResult argument)
    {
        var text = argument.Tokens.Count == 1 ? argument.Tokens[0].Value : "";
        if (DurationText.TryParse(text, out var duration, out var error) && duration > TimeSpan.Zero)
        {
            return duration;
        }

        argument.AddError($"'{text}' {error ?? "is no time at all"}.");
        return null;
    }

    public static string Show(TimeSpan duration) => duration.TotalMilliseconds switch
    {
        < 1000 => $"{duration.TotalMilliseconds:0} ms",
        < 100_000 => $"{duration.TotalSeconds:0.0} s",
        _ => $"{(int)duration.TotalMinutes}m{duration.Seconds:00}s",
    };
}
