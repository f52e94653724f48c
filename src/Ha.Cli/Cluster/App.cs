using Ha.Cli.Processes;

namespace Ha.Cli.Cluster;

/// <summary>What each node runs.</summary>
/// <param name="Name">For people.</param>
/// <param name="Command">The program and its arguments.</param>
/// <param name="Folder">Where it runs, its content root; null: here.</param>
internal sealed record App(string Name, IReadOnlyList<string> Command, string? Folder = null)
{
    /// <summary>An assembly, beside which it runs.</summary>
    public static App Assembly(string path, params IReadOnlyList<string> arguments)
    {
        var file = Path.GetFullPath(path);
        return new App(Path.GetFileNameWithoutExtension(file), ChildProcess.Dotnet([file, .. arguments]), Path.GetDirectoryName(file));
    }

    /// <summary>A project is built here, once.</summary>
    /// <param name="target">A project file or its folder, a <c>.dll</c>, or the first word of a command line.</param>
    /// <param name="arguments">The application's own.</param>
    /// <param name="cancellationToken">Ends the build.</param>
    /// <exception cref="AppException">There is no such file, or it does not build.</exception>
    public static async Task<App> FindAsync(string target, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        if (target.EndsWith("proj", StringComparison.OrdinalIgnoreCase) || Directory.Exists(target))
        {
            return await BuildAsync(ProjectFile(target), arguments, cancellationToken);
        }

        // A word without a folder may be a program of the PATH. Windows adds the extension itself.
        var isAssembly = target.EndsWith(".dll", StringComparison.OrdinalIgnoreCase);
        if ((isAssembly || Path.GetFileName(target) != target) && !File.Exists(target) && !File.Exists($"{target}.exe"))
        {
            throw new AppException($"There is no file {target}{(isAssembly ? "" : ", and no such folder")}.");
        }

        return isAssembly ? Assembly(target, arguments) : new App(Path.GetFileName(target), [target, .. arguments]);
    }

    private static string ProjectFile(string target)
    {
        if (!Directory.Exists(target))
        {
            return File.Exists(target) ? target : throw new AppException($"There is no project {target}.");
        }

        return Directory.GetFiles(target, "*.*proj") switch
        {
            [var file] => file,
            [] => throw new AppException($"There is no project in the folder {target}."),
            _ => throw new AppException($"There are several projects in the folder {target}; name one of them."),
        };
    }

    private static async Task<App> BuildAsync(string project, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        Console.WriteLine($"Building {project}.");

        // What it starts ends with it, so nobody else may come to depend on a build server of its.
        var (built, said) = await RunAsync(
            ["build", project, "--nologo", "--verbosity", "quiet", "--disable-build-servers"], cancellationToken);
        if (!built)
        {
            var errors = said.Where(line => line.Contains(": error ", StringComparison.Ordinal)).DefaultIfEmpty(said.LastOrDefault("")).Distinct(StringComparer.Ordinal);
            throw new AppException($"{project} does not build:\n  {string.Join("\n  ", errors.Take(8))}");
        }

        var (_, path) = await RunAsync(["msbuild", project, "--nologo", "-getProperty:TargetPath"], cancellationToken);
        return path is [var assembly] && File.Exists(assembly)
            ? Assembly(assembly, arguments) with { Folder = Path.GetDirectoryName(Path.GetFullPath(project)) }
            : throw new AppException($"{project} makes no assembly of one framework; name the .dll to run.");
    }

    private static async Task<(bool Done, IReadOnlyList<string> Said)> RunAsync(string[] arguments, CancellationToken cancellationToken)
    {
        await using var tool = new ChildProcess(ChildProcess.Dotnet(arguments));
        tool.Start();
        await tool.WhenDead.WaitAsync(cancellationToken);
        return (tool.ExitCode == 0, [.. tool.Output.Where(line => line.Length > 0)]);
    }
}

/// <summary>The application cannot be run, and why.</summary>
internal sealed class AppException(string message) : Exception(message);
