using Ha.Chaos.Network;

namespace Ha.Chaos.Nodes;

/// <summary>PostgreSQL as Debian's package installs it.</summary>
internal static class PostgresPrograms
{
    private const string Root = "/usr/lib/postgresql";

    /// <summary>Where the newest server's programs are; null: none is installed.</summary>
    public static string? Folder { get; } = Directory.Exists(Root)
        ? Directory.GetDirectories(Root).OrderByDescending(d => int.TryParse(Path.GetFileName(d), null, out var version) ? version : 0)
            .Select(d => Path.Combine(d, "bin")).FirstOrDefault(d => File.Exists(Path.Combine(d, "initdb")) && File.Exists(Path.Combine(d, "postgres")))
        : null;

    private static bool IsRoot => string.Equals(Environment.UserName, "root", StringComparison.Ordinal);

    /// <summary>The server refuses to run as root; the package made a user for it. Others run it as themselves.</summary>
    public static string[] AsItsUser(params string[] command) =>
        IsRoot
            ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--", .. command]
            : command;

    /// <summary>A new cluster of databases in a folder that its user owns already.</summary>
    public static async Task InitializeAsync(string folder) =>
        await Tool.RunAsync(AsItsUser(Path.Combine(Folder!, "initdb"), "--pgdata", folder, "--auth=trust", "--username=postgres",
            "--encoding=UTF8", "--locale=C", "--no-sync"));

    /// <summary>Makes the folder, for its user.</summary>
    public static async Task CreateFolderAsync(string folder)
    {
        Directory.CreateDirectory(folder);
        if (IsRoot)
        {
            await Tool.RunAsync("chown", "postgres", folder);
        }
    }
}
