using Ha.Chaos.Network;

namespace Ha.Chaos;

/// <summary>What this machine permits.</summary>
internal static class Requirements
{
    /// <summary>Why nothing can be done here, or null.</summary>
    public static async Task<string?> WhyNotAsync()
    {
        if (!OperatingSystem.IsLinux())
        {
            return "network namespaces need Linux";
        }

        if (!string.Equals(Environment.UserName, "root", StringComparison.Ordinal))
        {
            return "network namespaces need root";
        }

        foreach (var (tool, package) in (ReadOnlySpan<(string, string)>)[("ip", "iproute2"), ("iptables", "iptables"), ("mount", "mount")])
        {
            if (!OnPath(tool))
            {
                return $"{tool} is not installed (Debian: apt-get install {package})";
            }
        }

        return await TryNamespacesAsync();
    }

    private static readonly string[] _directories = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

    public static bool OnPath(string tool) => _directories.Any(d => File.Exists(Path.Combine(d, tool)));

    private static async Task<string?> TryNamespacesAsync()
    {
        try
        {
            await using var two = await Namespaces.CreateAsync(new Dictionary<string, string>(StringComparer.Ordinal) { ["x"] = "10.77.0.250", ["y"] = "10.77.0.251" });
            await new Firewall(Namespaces.NameOf("x")).DropFromAsync("10.77.0.251");
            return null;
        }
        catch (InvalidOperationException e)
        {
            return $"the kernel or the container does not permit it: {e.Message}";
        }
    }
}
