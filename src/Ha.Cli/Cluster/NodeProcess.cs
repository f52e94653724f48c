using Ha.Cli.Processes;

namespace Ha.Cli.Cluster;

/// <summary>One node: a process of the application, told by its environment alone where to listen and who it is.</summary>
internal sealed class NodeProcess : ChildProcess
{
    public NodeProcess(string id, string url, App app, IReadOnlyDictionary<string, string?> environment)
        : base(app.Command) =>
        (Id, Url, WorkingDirectory, Environment) = (id, url, app.Folder, environment);

    public string Id { get; }

    public string Url { get; }

    /// <summary>Whether ASP.NET Core takes from this variable where to listen.</summary>
    public static bool IsWhereToListen(string variable)
    {
        var prefix = Array.Find(["ASPNETCORE_", "DOTNET_"], p => variable.StartsWith(p, StringComparison.OrdinalIgnoreCase)) ?? "";
        return variable[prefix.Length..].ToUpperInvariant() is "URLS" or "HTTP_PORTS" or "HTTPS_PORTS";
    }

    protected override void Prepare(IDictionary<string, string?> environment)
    {
        // What the shell has is not about this node.
        foreach (var key in environment.Keys.Where(key => key.StartsWith("BASE_", StringComparison.Ordinal)).ToArray())
        {
            environment.Remove(key);
        }

        // The second wins over "Urls" in appsettings.json.
        environment["ASPNETCORE_URLS"] = Url;
        environment["URLS"] = Url;
    }
}
