using System.Net;
using Grpc.Net.Client.Balancer;

namespace Ha.Grpc.Client.Resolving;

/// <summary>What a resolved address knows of the entry of the list that it came from.</summary>
internal static class NodeAddress
{
    /// <summary>The entry as a server expects it in <c>:authority</c>; absent where it says no more than the address.</summary>
    public static readonly BalancerAttributesKey<string> Authority = new("Ha.Authority");

    private static readonly BalancerAttributesKey<bool> _part = new("Ha.Part");

    private static readonly BalancerAttributesKey<string> _name = new("Ha.Name");

    private static readonly BalancerAttributesKey<string> _scheme = new("Ha.Scheme");

    /// <param name="entry">A name or an IP address, with its port.</param>
    /// <param name="host">What to connect to: an IP address, or a name that stands for one node.</param>
    /// <param name="secure">Over TLS.</param>
    /// <param name="isPart">Others of the list are still being looked up for the first time.</param>
    public static BalancerAddress Of(ListedNode entry, string host, bool secure, bool isPart)
    {
        var address = new BalancerAddress(host, entry.Port);
        address.Attributes.Set(_part, isPart);
        address.Attributes.Set(_name, entry.Text);
        address.Attributes.Set(_scheme, secure ? "https" : "http");
        if (host != entry.Host)
        {
            address.Attributes.Set(Authority, entry.Port == (secure ? 443 : 80) ? entry.Host : entry.Text);
        }

        return address;
    }

    public static bool IsOfPart(BalancerAddress address) => address.Attributes.TryGetValue(_part, out var isPart) && isPart;

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

    private static string Written(BalancerAddress address) =>
        address.Attributes.TryGetValue(_name, out var name) ? name : $"{address.EndPoint.Host}:{address.EndPoint.Port}";
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
