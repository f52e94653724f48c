using System.Globalization;

namespace Ha.Grpc.Client.Resolving;

/// <summary>Reads <c>ha:///a:5001,b:5001</c>.</summary>
internal static class NodeList
{
    public const string Scheme = "ha";

    /// <value>More entries are refused, more addresses of a name left out: each is a connection.</value>
    public const int Most = 64;

    /// <param name="address">A channel's address, as it was written.</param>
    /// <param name="defaultPort">For entries without one: 443 or 80.</param>
    /// <exception cref="InvalidOperationException">The list is malformed; the message says where and how to mend it.</exception>
    public static ListedNode[] Parse(Uri address, int defaultPort)
    {
        var text = address.OriginalString;
        var start = $"{Scheme}:///";
        if (!text.StartsWith(start, StringComparison.OrdinalIgnoreCase))
        {
            throw Fault(text, "write three slashes before the list, as in ha:///a:5001,b:5001");
        }

        var entries = text[start.Length..].TrimEnd('/').Split(',', StringSplitOptions.TrimEntries);
        if (entries.Length > Most)
        {
            throw Fault(text, $"it has {entries.Length} entries, and {Most} is the most");
        }

        var nodes = new List<ListedNode>();
        foreach (var entry in entries)
        {
            var node = ParseEntry(text, entry, defaultPort);
            nodes.Add(nodes.Contains(node) ? throw Fault(text, $"'{entry}' stands in it twice") : node);
        }

        return [.. nodes];
    }

    private static ListedNode ParseEntry(string text, string entry, int defaultPort)
    {
        if (entry.Length == 0)
        {
            throw Fault(text, "an entry is empty");
        }

        if (entry.Contains("://", StringComparison.Ordinal))
        {
            throw Fault(text, $"'{entry}' has a scheme: write host and port only; the channel's Credentials say whether it is TLS");
        }

        var (host, written) = Split(entry);
        var port = defaultPort;
        if (written is not null
            && !(int.TryParse(written, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is > 0 and < 65536))
        {
            throw Fault(text, $"'{entry}' has no port between 1 and 65535 behind its colon");
        }

        return Uri.CheckHostName(host) is UriHostNameType.Dns or UriHostNameType.IPv4 or UriHostNameType.IPv6
            ? new ListedNode(host.ToLowerInvariant(), port)
            : throw Fault(text, $"'{entry}' is no host name or IP address (one of IPv6 stands in brackets) with a port");
    }

    private static (string Host, string? Port) Split(string entry)
    {
        var bracket = entry.LastIndexOf(']');
        var colon = entry.IndexOf(':', bracket + 1);
        var host = colon < 0 ? entry : entry[..colon];
        return (host is ['[', .. var inner, ']'] ? inner : host, colon < 0 ? null : entry[(colon + 1)..]);
    }

    private static InvalidOperationException Fault(string text, string what) => new($"The address '{text}' is malformed: {what}.");
}
