using System.Text.RegularExpressions;

namespace Ha.Kubernetes;

/// <summary>Which Lease a cluster has.</summary>
/// <param name="Namespace">Null: that of the credentials.</param>
/// <param name="Name">Of the object.</param>
internal sealed partial record LeaseName(string? Namespace, string Name)
{
    /// <summary>What <see cref="HaOptions.ClusterId"/> is when nobody set it.</summary>
    private const string OnlyCluster = "default";

    private const int MaxNameLength = 253;
    private const int MaxNamespaceLength = 63;

    /// <param name="value"><c>[namespace/]name</c>.</param>
    /// <param name="clusterId">Any but the default one is appended to the name, so that each cluster has a Lease of its own.</param>
    /// <exception cref="ArgumentException">One of the two is no name for the API server.</exception>
    public static LeaseName Parse(string value, string clusterId)
    {
        var parts = value.Split('/');
        if (parts.Length > 2 || !IsName(parts[^1]) || (parts.Length is 2 && !IsNamespace(parts[0])))
        {
            throw new ArgumentException(
                $"BASE_LEASE_STORE (kubernetes:{value}) names no Lease. Write kubernetes:name or kubernetes:namespace/name, with " +
                "lower-case letters, digits and '-' (in a name also '.'), as in kubernetes:shop/notes.", nameof(value));
        }

        var name = clusterId == OnlyCluster ? parts[^1] : $"{parts[^1]}-{clusterId}";
        if (!IsName(name))
        {
            throw new ArgumentException(
                $"BASE_CLUSTER_ID ({clusterId}) is part of the Lease's name, {name}, which Kubernetes does not allow. Use lower-case " +
                "letters, digits, '-' and '.' for it.", nameof(clusterId));
        }

        return new LeaseName(parts.Length is 2 ? parts[0] : null, name);
    }

    private static bool IsName(string text) => text.Length <= MaxNameLength && Subdomain().IsMatch(text);

    private static bool IsNamespace(string text) => text.Length <= MaxNamespaceLength && Label().IsMatch(text);

    /// <summary>RFC 1123, as Kubernetes has it.</summary>
    [GeneratedRegex(@"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Subdomain();

    [GeneratedRegex(@"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?\z", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Label();
}
