using System.CommandLine;
using System.Security.Cryptography;
using NSec.Cryptography;

namespace Ha.Cli.Keys;

/// <summary>
/// <c>ha keys a b c</c> makes an Ed25519 key pair for each node id and prints the variables; without ids, a shared secret.
/// Nothing is written anywhere else.
/// </summary>
internal static class KeysCommand
{
    private const int SecretBytes = 32;

    public static Command New()
    {
        var ids = new Argument<string[]>("node-id") { Description = "A node's BASE_NODE_ID; none: a shared secret.", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("keys", "Makes a key pair for each node, or a shared secret, and prints the variables.") { ids };
        command.SetAction(parsed => Run(parsed.GetValue(ids), Console.Out));
        return command;
    }

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
            using var pair = Key.Create(
                SignatureAlgorithm.Ed25519, new KeyCreationParameters { ExportPolicy = KeyExportPolicies.AllowPlaintextExport });
            publicKeys.Add($"{id}={Convert.ToBase64String(pair.Export(KeyBlobFormat.PkixPublicKey))}");
            output.WriteLine($"# Only on {id}, and secret:");
            output.WriteLine($"BASE_NODE_ID={id}");
            output.WriteLine($"BASE_NODE_KEY={Convert.ToBase64String(pair.Export(KeyBlobFormat.PkixPrivateKey))}");
            output.WriteLine();
        }

        output.WriteLine("# The same on every node, and public:");
        output.WriteLine($"BASE_PEER_KEYS={string.Join(',', publicKeys)}");
        return 0;
    }
}
