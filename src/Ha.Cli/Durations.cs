using System.CommandLine.Parsing;
using Ha.Configuration;

namespace Ha.Cli;

/// <summary>Durations for people.</summary>
internal static class Durations
{
    // What timers take, and somewhat less.
    private static readonly TimeSpan _shortest = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan _longest = TimeSpan.FromDays(30);

    /// <summary>For System.CommandLine options. A millisecond to 30 days.</summary>
    public static TimeSpan? Parse(ArgumentResult argument)
    {
        var text = argument.Tokens.Count == 1 ? argument.Tokens[0].Value : "";
        if (DurationText.TryParse(text, out var duration, out var error) && duration >= _shortest && duration <= _longest)
        {
            return duration;
        }

        error ??= duration == TimeSpan.Zero ? "is no time at all"
            : duration < _shortest ? $"is less than {DurationText.Format(_shortest)}"
            : $"is more than {DurationText.Format(_longest)}";
        argument.AddError($"'{text}' {error}.");
        return null;
    }

    public static string Show(TimeSpan duration) => duration.TotalMilliseconds switch
    {
        < 1000 => $"{duration.TotalMilliseconds:0} ms",
        < 100_000 => $"{duration.TotalSeconds:0.0} s",
        _ => $"{(int)duration.TotalMinutes}m{duration.Seconds:00}s",
    };
}
