using System.Globalization;

namespace Ha.Chaos.Network;

/// <summary>What a member of the network does not let in, or sees twice. Rules stand in its own namespace.</summary>
internal sealed class Firewall(string name)
{
    public string Namespace => name;

    public Task DropFromAsync(string address) => AddAsync("filter", "INPUT", "-s", address, "-j", "DROP");

    public Task LoseFromAsync(string address, double share) =>
        AddAsync("filter", "INPUT", ["-s", address, .. WithChance(share), "-j", "DROP"]);

    /// <summary>Sends a second copy of some packets right behind the first.</summary>
    public Task DuplicateToAsync(string address, double share) =>
        AddAsync("mangle", "POSTROUTING", ["-d", address, .. WithChance(share), "-j", "TEE", "--gateway", address]);

    /// <summary>Gives packets to <see cref="PacketDelay"/>; they pass when nobody listens.</summary>
    public Task QueueFromAsync(string address) =>
        AddAsync("filter", "INPUT", "-s", address, "-j", "NFQUEUE", "--queue-num", $"{PacketDelay.Queue}", "--queue-bypass");

    /// <summary>How many packets met a rule.</summary>
    public async Task<long> CountAsync()
    {
        var lists = await RunAsync("-t", "filter", "-nvxL", "INPUT") + await RunAsync("-t", "mangle", "-nvxL", "POSTROUTING");
        return lists.Split('\n').Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(w => w.Length > 3 && w[2] is "DROP" or "TEE" or "NFQUEUE").Sum(w => long.Parse(w[0], CultureInfo.InvariantCulture));
    }

    public async Task ClearAsync()
    {
        await RunAsync("-t", "filter", "-F", "INPUT");
        await RunAsync("-t", "mangle", "-F", "POSTROUTING");
    }

    private static string[] WithChance(double share) =>
        ["-m", "statistic", "--mode", "random", "--probability", share.ToString("0.000", CultureInfo.InvariantCulture)];

    private Task<string> AddAsync(string table, string chain, params string[] rule) => RunAsync(["-t", table, "-A", chain, .. rule]);

    private Task<string> RunAsync(params string[] arguments) => Tool.RunAsync(["ip", "netns", "exec", name, "iptables", "-w", "5", .. arguments]);
}
