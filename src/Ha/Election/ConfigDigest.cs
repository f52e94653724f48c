using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Ha.Election;

/// <summary>
/// One short text over everything that all members must agree on before a vote may count. Equal settings give equal
/// digests on every node, whatever the order of the member list.
/// </summary>
internal static class ConfigDigest
{
    /// <summary>Raised with every change of the protocol that old and new nodes would understand differently.</summary>
    public const int ProtocolVersion = 1;

    private const int Bytes = 16;

    /// <param name="clusterId">The cluster's name.</param>
    /// <param name="members">The normalised URLs of all members, own one included; duplicates do not count.</param>
    /// <param name="leaseMicros">Lease timeout.</param>
    /// <param name="candidacyMicros">Lease of a candidate.</param>
    /// <param name="driftPermille">What a leader takes off each acknowledged duration.</param>
    /// <param name="majority">True in majority mode, false in off mode.</param>
    /// <param name="protocolVersion">Usually <see cref="ProtocolVersion"/>.</param>
    /// <returns>32 hexadecimal digits.</returns>
    public static string Compute(
        string clusterId,
        IEnumerable<string> members,
        long leaseMicros,
        long candidacyMicros,
        int driftPermille,
        bool majority,
        int protocolVersion = ProtocolVersion)
    {
        // One fact per line. No id and no URL contains a line feed, so no two configurations give the same text.
        var text = new StringBuilder()
            .Append(CultureInfo.InvariantCulture, $"ha config\nprotocol {protocolVersion}\ncluster {clusterId}\n")
            .Append(CultureInfo.InvariantCulture, $"lease {leaseMicros}\ncandidacy {candidacyMicros}\ndrift {driftPermille}\n")
            .Append(majority ? "majority\n" : "off\n");
        foreach (var member in members.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            text.Append("member ").Append(member).Append('\n');
        }

        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString()));
        return Convert.ToHexStringLower(hash.AsSpan(0, Bytes));
    }
}
