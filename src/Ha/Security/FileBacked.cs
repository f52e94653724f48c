namespace Ha.Security;

/// <summary>Makes something of files.</summary>
/// <param name="read">Gives what stands in one of them.</param>
/// <param name="problems">Gets everything that is wrong.</param>
/// <returns>Of use only when nothing was wrong.</returns>
internal delegate T? FileLoader<out T>(Func<string, SecretText> read, List<string> problems);

/// <summary>
/// Keys, certificates or a token: as they were at the start, and the way to load them again when their files change.
/// Immutable and thread-safe.
/// </summary>
internal sealed class FileBacked<T>
    where T : class, IFileContent<T>
{
    private readonly string[] _paths;
    private readonly FileLoader<T> _load;

    private FileBacked(T atStart, string[] paths, FileLoader<T> load) => (AtStart, _paths, _load) = (atStart, paths, load);

    /// <summary>What was loaded first.</summary>
    public T AtStart { get; }

    /// <summary>True when there is a file that can change.</summary>
    public bool HasFiles => _paths.Length > 0;

    /// <summary>What stands in no file and never changes.</summary>
    public static FileBacked<T> Fixed(T value) => new(value, [], (_, _) => value);

    /// <param name="files">Those to read, each once, and to watch later; a null is left out.</param>
    /// <param name="load">Called now and after each change. It must not read a file that is not in the list.</param>
    /// <param name="read">Reads a file now.</param>
    /// <param name="problems">Gets what is wrong now.</param>
    /// <returns>Null when something was wrong.</returns>
    public static FileBacked<T>? Load(IEnumerable<NamedFile?> files, FileLoader<T> load, Func<string, SecretText> read, List<string> problems)
    {
        string[] paths = [.. files.OfType<NamedFile>().Select(file => file.Path).Distinct(StringComparer.Ordinal)];
        var loaded = Make(paths, load, [.. paths.Select(read)], problems);
        return loaded is null ? null : new FileBacked<T>(loaded, paths, load);
    }

    /// <summary>Looks at the files from now on. What cannot be used changes nothing.</summary>
    /// <param name="clock">Times the looks.</param>
    /// <param name="renewed">Given what is to be used from now on; never called twice at once.</param>
    /// <param name="refused">Given what is wrong with changed files, once for each change.</param>
    /// <param name="stopping">Ends it.</param>
    public void Watch(TimeProvider clock, Action<T> renewed, Action<IReadOnlyList<string>> refused, CancellationToken stopping)
    {
        var inUse = AtStart;
        FileWatch.Start(_paths, clock, Look, stopping);

        void Look(SecretText[] texts)
        {
            var problems = new List<string>();
            var loaded = Make(_paths, _load, texts, problems);
            if (loaded is null)
            {
                refused(problems);
            }
            else if (!loaded.IsSameAs(inUse))
            {
                inUse = loaded;
                renewed(loaded);
            }
        }
    }

    private static T? Make(string[] paths, FileLoader<T> load, SecretText[] texts, List<string> problems)
    {
        var before = problems.Count;
        var loaded = load(path => texts[Array.IndexOf(paths, path)], problems);
        return problems.Count > before ? null : loaded;
    }
}
