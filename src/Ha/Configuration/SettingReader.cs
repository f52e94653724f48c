using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace Ha.Configuration;

/// <summary>
/// Reads single values. An empty value counts as not set, because compose files and charts pass empty variables on.
/// What cannot be read is written down, not thrown: the person gets all problems in one message.
/// </summary>
internal sealed class SettingReader(IConfiguration configuration, List<string> problems)
{
    public string? Text(string key)
    {
        var section = configuration.GetSection(key);
        if (section.Value is null && section.GetChildren().Any())
        {
            problems.Add($"{key} is a list or an object; write one value.");
        }

        return string.IsNullOrWhiteSpace(section.Value) ? null : section.Value.Trim();
    }

    /// <summary>A comma-separated value, or a JSON array.</summary>
    public string[] List(string key)
    {
        var section = configuration.GetSection(key);
        if (section.Value is not null)
        {
            return Split(section.Value);
        }

        var children = section.GetChildren().ToArray();
        if (children.Any(child => child.Value is null))
        {
            problems.Add($"{key} holds something that is not a string; write a comma-separated value or an array of strings.");
        }

        return children.SelectMany(child => Split(child.Value ?? "")).ToArray();
    }

    public bool? Flag(string key) => Text(key) switch
    {
        null => null,
        var text when text.Equals("true", StringComparison.OrdinalIgnoreCase) || text is "1" => true,
        var text when text.Equals("false", StringComparison.OrdinalIgnoreCase) || text is "0" => false,
        var text => Malformed<bool>(key, text, "is neither true nor false"),
    };

    public int? Number(string key) => Text(key) switch
    {
        null => null,
        var text when int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) => number,
        var text => Malformed<int>(key, text, "is not a whole number"),
    };

    public TimeSpan? Duration(string key)
    {
        if (Text(key) is not { } text)
        {
            return null;
        }

        return DurationText.TryParse(text, out var duration, out var error) ? duration : Malformed<TimeSpan>(key, text, error);
    }

    /// <summary>One of the names of <typeparamref name="T"/>; its numbers are nobody's business.</summary>
    public T? OneOf<T>(string key)
        where T : struct, Enum
    {
        if (Text(key) is not { } text)
        {
            return null;
        }

        foreach (var value in Enum.GetValues<T>())
        {
            if (string.Equals(value.ToString(), text, StringComparison.OrdinalIgnoreCase))
            {
                return value;
            }
        }

        return Malformed<T>(key, text, $"is not one of {Choices<T>()}");
    }

    public static string Choices<T>()
        where T : struct, Enum =>
        string.Join(", ", Enum.GetNames<T>()).ToLowerInvariant();

    private static string[] Split(string value) =>
        value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private T? Malformed<T>(string key, string value, string why)
        where T : struct
    {
        problems.Add($"{key} ({value}) {why}.");
        return null;
    }
}
