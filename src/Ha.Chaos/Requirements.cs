using Ha.Chaos.Network;
using Ha.Chaos.Nodes;

namespace Ha.Chaos;

/// <summary>What one run can do on this machine.</summary>
/// <param name="Postgres">The database is a PostgreSQL server.</param>
/// <param name="Store">What elects.</param>
/// <param name="Losses">The firewall can drop packets by chance.</param>
/// <param name="Copies">The firewall can send packets twice.</param>
/// <param name="Queues">The kernel gives packets to programs, which can hold them back.</param>
internal sealed record Machine(bool Postgres, StoreKind Store, bool Losses, bool Copies, bool Queues);

/// <summary>Finds out what this machine permits.</summary>
internal static class Requirements
{
    private static readonly string[] _directories = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

    public static bool OnPath(string tool) => _directories.Any(d => File.Exists(Path.Combine(d, tool)));

    /// <summary>Tries everything once, in namespaces that are removed again. Without a machine: why nothing can be done here.</summary>
    public static async Task<(Machine? Machine, string WhyNot)> ProbeAsync(RunSettings settings)
    {
        if (!OperatingSystem.IsLinux())
        {
            return (null, "network namespaces need Linux");
        }

        if (!string.Equals(Environment.UserName, "root", StringComparison.Ordinal))
        {
            return (null, "network namespaces need root");
        }

        foreach (var (tool, package) in (ReadOnlySpan<(string, string)>)[("ip", "iproute2"), ("iptables", "iptables"), ("mount", "mount"), ("curl", "curl")])
        {
            if (!OnPath(tool))
            {
                return (null, $"{tool} is not installed (Debian: apt-get install {package})");
            }
        }

        return (settings.Postgres ? StoreKind.Postgres : StoreKind.Peers).WhyNot() is { } database ? (null, database)
            : settings.Store.WhyNot() is { } store ? (null, store)
            : await TryNetworkAsync(settings);
    }

    private static async Task<(Machine? Machine, string WhyNot)> TryNetworkAsync(RunSettings settings)
    {
        const string Other = "10.77.0.251";
        try
        {
            await using var two = await Namespaces.CreateAsync(new Dictionary<string, string>(StringComparer.Ordinal) { ["x"] = "10.77.0.250", ["y"] = Other });
            var firewall = new Firewall(Namespaces.NameOf("x"));
            await firewall.DropFromAsync(Other);
            return (new Machine(settings.Postgres, settings.Store, await WorksAsync(firewall.LoseFromAsync(Other, 0.5)),
                await WorksAsync(firewall.DuplicateToAsync(Other, 0.5)), await WorksAsync(firewall.QueueFromAsync(Other))), "");
        }
        catch (InvalidOperationException e)
        {
            return (null, $"not permitted here: {e.Message}");
        }
    }

    private static async Task<bool> WorksAsync(Task attempt)
    {
        try
        {
            await attempt;
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
