using System.Net;
using Grpc.Net.Client.Balancer;

namespace Ha.Grpc.Client.Resolving;

/// <summary>What a resolved address knows of the entry of the list that it came from.</summary>
internal static class NodeAddress
{
    /// <summary>The entry as a server expects it in <c>:authority</c>; absent where it says no more than the address.</summary>
    public static readonly BalancerAttributesKey<string> Authority = new("Ha.Authority");

    private static readonly BalancerAttributesKey<string> _name = new("Ha.Name");

    private static readonly BalancerAttributesKey<string> _scheme = new("Ha.Scheme");

    /// <param name="entry">A name or an IP address, with its port.</param>
    /// <param name="host">What to connect to: an IP address, or a name that stands for one node.</param>
    /// <param name="secure">Over TLS.</param>
    public static BalancerAddress Of(ListedNode entry, string host, bool secure)
    {
        var address = new BalancerAddress(host, entry.Port);
        address.Attributes.Set(_name, entry.Text);
        address.Attributes.Set(_scheme, secure ? "https" : "http");
        if (host != entry.Host)
        {
            address.Attributes.Set(Authority, entry.Port == (secure ? 443 : 80) ? entry.Host : entry.Text);
        }

        return address;
    }

    public static bool AreSame(BalancerAddress one, BalancerAddress other) =>
        one.EndPoint.Equals(other.EndPoint) && Written(one) == Written(other);

    public static string UrlOf(BalancerAddress address)
    {
        var scheme = address.Attributes.TryGetValue(_scheme, out var known) ? known : "https";
        return new UriBuilder(scheme, address.EndPoint.Host, address.EndPoint.Port).ToString();
    }

    /// <summary>For people.</summary>
    public static string NameOf(BalancerAddress address) =>
        address.Attributes.TryGetValue(Authority, out _) ? $"{Written(address)} ({address.EndPoint.Host})" : Written(address);

    /// <summary>True when a node's public URL is that of this address, by the name that was written or the one it stands for.</summary>
    public static bool IsAt(BalancerAddress address, string url)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Port != address.EndPoint.Port)
        {
            return false;
        }

        return Same(uri.IdnHost, address.EndPoint.Host) || Same($"{uri.IdnHost}:{uri.Port}", Written(address));
    }

    private static string Written(BalancerAddress address) =>
        address.Attributes.TryGetValue(_name, out var name) ? name : $"{address.EndPoint.Host}:{address.EndPoint.Port}";

    private static bool Same(string one, string other) => string.Equals(one, other, StringComparison.OrdinalIgnoreCase);
}

/// <summary>One entry of the list in a channel's address.</summary>
/// <param name="Host">A name, or an IP address without brackets.</param>
/// <param name="Port">As written, or the scheme's.</param>
internal sealed record ListedNode(string Host, int Port)
{
    public string Text => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    /// <summary>An IP address, or <c>localhost</c>, which stands for one node with two addresses: connecting tries both.</summary>
    public bool IsOneNode => IPAddress.TryParse(Host, out _) || string.Equals(Host, "localhost", StringComparison.OrdinalIgnoreCase);
}
