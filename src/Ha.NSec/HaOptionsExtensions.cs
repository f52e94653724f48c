using Ha.NSec;

namespace Ha;

/// <summary>Ed25519 for node keys.</summary>
public static class HaOptionsExtensions
{
    /// <summary>
    /// Lets <c>BASE_NODE_KEY</c> and <c>BASE_PEER_KEYS</c> hold Ed25519 keys (RFC 8032, RFC 8410), beside the ECDSA P-256
    /// ones that need no package. Every node that is to understand such a key needs this line.
    /// </summary>
    /// <param name="options">As in <c>builder.Services.AddHa(options => options.UseEd25519())</c>.</param>
    /// <returns><paramref name="options"/>.</returns>
    public static HaOptions UseEd25519(this HaOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.KeyAlgorithms.Add(Ed25519Algorithm.Instance);
        return options;
    }
}
