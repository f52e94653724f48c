namespace Ha.Security;

/// <summary>A file that a setting names.</summary>
/// <param name="Setting">The setting's key, for messages.</param>
/// <param name="Path">Its value.</param>
internal sealed record NamedFile(string Setting, string Path)
{
    /// <summary>Whether messages may show the path whatever it looks like: it stands on a command line, which is no secret anyway.</summary>
    public bool IsPublic { get; init; }

    /// <returns>Null when the setting is not set.</returns>
    public static NamedFile? From(string setting, string? path) => path is null ? null : new NamedFile(setting, path);

    /// <param name="read">Reads a file.</param>
    /// <param name="problems">Gets the obstacle, if there is one.</param>
    /// <returns>What stands in the file; null when there is an obstacle.</returns>
    public string? Read(Func<string, SecretText> read, List<string> problems)
    {
        var text = read(Path);
        if (text.Obstacle is null)
        {
            return text.Content;
        }

        problems.Add($"{this} {text.Obstacle}.");
        return null;
    }

    /// <summary>The setting and the path, for a message; never what stands in the file.</summary>
    public override string ToString() => $"{Setting} ({(IsPublic ? Path : SecretText.Shown(Path))})";
}
