namespace Ha.Chaos.Network;

/// <summary>
/// Network namespaces with an address each, joined by a bridge in one more. The machine's own network has no part in it.
/// Their names carry the pid of the program that made them.
/// </summary>
internal sealed class Namespaces : IAsyncDisposable
{
    private const string Prefix = "hachaos";
    private const string Hub = "hub";
    private readonly List<string> _made = [];

    private Namespaces()
    {
    }

    public static string NameOf(string member) => $"{Prefix}{Environment.ProcessId}-{member}";

    /// <summary>Makes one namespace for each member, with its address of a /24.</summary>
    public static async Task<Namespaces> CreateAsync(IReadOnlyDictionary<string, string> addresses)
    {
        var made = new Namespaces();
        try
        {
            var hub = await made.AddAsync(Hub);
            await Tool.RunAsync("ip", "-n", hub, "link", "add", "br0", "type", "bridge");
            await Tool.RunAsync("ip", "-n", hub, "link", "set", "br0", "up");
            foreach (var (member, address) in addresses)
            {
                var name = await made.AddAsync(member);
                await Tool.RunAsync("ip", "-n", hub, "link", "add", $"to-{member}", "type", "veth", "peer", "name", "eth0", "netns", name);
                await Tool.RunAsync("ip", "-n", hub, "link", "set", $"to-{member}", "master", "br0", "up");
                await Tool.RunAsync("ip", "-n", name, "link", "set", "lo", "up");
                await Tool.RunAsync("ip", "-n", name, "addr", "add", $"{address}/24", "dev", "eth0");
                await Tool.RunAsync("ip", "-n", name, "link", "set", "eth0", "up");
            }

            return made;
        }
        catch
        {
            await made.DisposeAsync();
            throw;
        }
    }

    /// <summary>Removes what earlier runs left behind that were killed: their namespaces, and the processes in them.</summary>
    public static async Task<int> RemoveLeftoversAsync()
    {
        var listed = await Tool.TryAsync("ip", "netns", "list");
        var left = listed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ')[0]).Where(IsOfDeadRun).ToArray();
        foreach (var name in left)
        {
            await RemoveAsync(name);
        }

        return left.Length;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var name in _made)
        {
            await RemoveAsync(name);
        }

        _made.Clear();
    }

    private static bool IsOfDeadRun(string name)
    {
        if (!name.StartsWith(Prefix, StringComparison.Ordinal) || !int.TryParse(name[Prefix.Length..].Split('-')[0], null, out var pid))
        {
            return false;
        }

        return Runs.IsDead(pid);
    }

    private static async Task RemoveAsync(string name)
    {
        var pids = await Tool.TryAsync("ip", "netns", "pids", name);
        foreach (var pid in pids.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(p => p != $"{Environment.ProcessId}"))
        {
            await Tool.TryAsync("kill", "-KILL", pid);
        }

        await Tool.TryAsync("ip", "netns", "del", name);
    }

    private async Task<string> AddAsync(string member)
    {
        var name = NameOf(member);
        await Tool.RunAsync("ip", "netns", "add", name);
        _made.Add(name);
        return name;
    }
}
