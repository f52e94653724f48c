using System.Security.Cryptography;

namespace MinimalApiApp.Keys;

/// <summary>
/// <c>-- keys a b c</c> makes a key pair for each node id and prints the variables; without ids, a shared secret.
/// Nothing is written anywhere else.
/// </summary>
internal static class KeysCommand
{
    private const int SecretBytes = 32;

    public static int Run(ReadOnlySpan<string> nodeIds, TextWriter output)
    {
        if (nodeIds.IsEmpty)
        {
            output.WriteLine("# The same on every node:");
            output.WriteLine($"BASE_CLUSTER_SECRET={Convert.ToBase64String(RandomNumberGenerator.GetBytes(SecretBytes))}");
            return 0;
        }

        var publicKeys = new List<string>();
        foreach (var id in nodeIds)
        {
            using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            publicKeys.Add($"{id}={Convert.ToBase64String(pair.ExportSubjectPublicKeyInfo())}");
            output.WriteLine($"# Only on {id}, and secret:");
            output.WriteLine($"BASE_NODE_ID={id}");
            output.WriteLine($"BASE_NODE_KEY={Convert.ToBase64String(pair.ExportPkcs8PrivateKey())}");
            output.WriteLine();
        }

        output.WriteLine("# The same on every node, and public:");
        output.WriteLine($"BASE_PEER_KEYS={string.Join(',', publicKeys)}");
        return 0;
    }
}
