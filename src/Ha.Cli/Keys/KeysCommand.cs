using System.CommandLine;
using System.Security.Cryptography;
using Ha.Configuration;
using Ha.Security;
using Microsoft.Extensions.Configuration;
using NSec.Cryptography;

namespace Ha.Cli.Keys;

/// <summary>
/// <c>ha keys new a b c</c> makes an Ed25519 key pair for each node id and prints the variables; without ids, a shared secret.
/// Nothing is written anywhere else. <c>public</c> and <c>check</c> print no secret.
/// </summary>
internal static class KeysCommand
{
    private const int SecretBytes = 32;

    public static Command New(IConfiguration environment)
    {
        // The form without a verb is the older one; scripts have it.
        var idsAlone = Ids();
        idsAlone.Hidden = true;
        var keys = new Command("keys", "Makes and checks keys and secrets.")
        {
            idsAlone, NewKeys(idsAlone), Public(environment), Check(environment),
        };
        keys.SetAction(parsed => New(parsed.GetValue(idsAlone), parsed.InvocationConfiguration.Output));
        return keys;
    }

    public static int New(ReadOnlySpan<string> nodeIds, TextWriter output)
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

    private static Command NewKeys(Argument<string[]> idsAlone)
    {
        var ids = Ids();
        var command = new Command("new", "Makes a key pair for each node, or a shared secret, and prints the variables.") { ids };
        command.Validators.Add(result => RefuseWords(result.GetValue(idsAlone), result.AddError));
        command.SetAction(parsed => New(parsed.GetValue(ids), parsed.InvocationConfiguration.Output));
        return command;

        // "keys a new" would otherwise make keys for nobody.
        static void RefuseWords(string[]? before, Action<string> refuse)
        {
            if (before is { Length: > 0 })
            {
                refuse("Write the names of all nodes after new: ha keys new a b c.");
            }
        }
    }

    private static Command Public(IConfiguration environment)
    {
        var file = File("The private key's file. Default: BASE_NODE_KEY or BASE_NODE_KEY_FILE.");
        var command = new Command("public", "Prints the public key of a node's private key, as BASE_PEER_KEYS has it.") { file };
        command.Does((parsed, _) =>
        {
            var options = new HaOptions();
            new ConfigureHaOptions(environment).Configure(options);
            var path = parsed.GetValue(file);
            options = path is not null
                ? new HaOptions { NodeKey = Text(path) }
                : new HaOptions { NodeKey = options.NodeKey, NodeKeyFile = options.NodeKeyFile };
            var problems = new List<string>();
            var key = KeyRules.Load(options, Nobody, SecretText.Read, problems)?.AtStart.Signer;
            if (key is null && problems.Count == 0)
            {
                throw new CommandException(ExitCode.WrongUsage, "Which key? Name its file, or set BASE_NODE_KEY or BASE_NODE_KEY_FILE.");
            }

            Require(path is null ? problems : problems.ConvertAll(p => p.Replace(HaKeys.NodeKey, path, StringComparison.Ordinal)));
            parsed.InvocationConfiguration.Output.WriteLine(key!.PublicKey);
            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    private static Command Check(IConfiguration environment)
    {
        var file = File("Lines of the form KEY=VALUE, as new prints them, instead of the environment.");
        var command = new Command("check", "Says whether secret, private key and peers' keys are well-formed and fit together.") { file };
        command.Does((parsed, _) =>
        {
            var options = new HaOptions();
            new ConfigureHaOptions(parsed.GetValue(file) is { } path ? Lines(path) : environment).Configure(options);
            List<string> problems = [.. KeyNames.Mistyped(options.KeysFound), .. KeyNames.Removed(options.KeysFound), .. options.Malformed];
            if (problems.Count == 0
                && options is { ClusterSecrets.Count: 0, ClusterSecretFile: null, NodeKey: null, NodeKeyFile: null, PeerKeys.Count: 0 })
            {
                throw new CommandException(
                    ExitCode.WrongUsage,
                    "There is nothing to check: set BASE_CLUSTER_SECRET, BASE_NODE_KEY, BASE_PEER_KEYS, or name a file.");
            }

            NameRules.Check(options, problems);
            var members = options.Peers.Count > 0 ? MemberRules.Parse(options, problems) : Nobody;
            var ring = KeyRules.Load(options, members, SecretText.Read, problems)?.AtStart;
            var owners = options.PeerKeys.Select(KeyRules.OwnerOf).OfType<string>().Distinct(StringComparer.Ordinal).ToArray();
            var own = ring?.Signer?.PublicKey;
            if (own is not null && owners.Length > 0 && !owners.Contains(options.NodeId, StringComparer.Ordinal))
            {
                problems.Add(
                    $"{HaKeys.PeerKeys} has no key of {options.NodeId} ({HaKeys.NodeId}), so nobody who has this list believes this node; " +
                    $"add {options.NodeId}={own} on every node, or correct {HaKeys.NodeId}.");
            }

            Require(problems);
            Describe(options, own, owners, parsed.InvocationConfiguration.Output);
            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    private static void Describe(HaOptions options, string? own, string[] owners, TextWriter output)
    {
        if (options.ClusterSecrets.Count > 0 || options.ClusterSecretFile is not null)
        {
            output.WriteLine("The shared secret is well-formed.");
        }

        if (own is not null)
        {
            output.WriteLine($"The private key is well-formed; its public key is {own}.");
        }

        if (owners.Length > 0)
        {
            var fit = own is null ? "" : $" That of {options.NodeId} fits the private key.";
            output.WriteLine($"The peers' keys are well-formed: {string.Join(", ", owners)}.{fit}");
        }
    }

    /// <summary>As systemd and Docker read them. Each variable stands once: a file is that of one node.</summary>
    private static IConfiguration Lines(string path)
    {
        var variables = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        var lines = Text(path).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        foreach (var line in lines.Where(line => line[0] != '#'))
        {
            var at = line.IndexOf('=', StringComparison.Ordinal);
            if (at <= 0 || !variables.TryAdd(line[..at], line[(at + 1)..].Trim('"', '\'')))
            {
                // Of what stands there nothing is shown but a name: it may be a secret.
                throw new CommandException(
                    ExitCode.WrongUsage,
                    at > 0 ? $"{path} has {line[..at]} twice; give each node a file of its own." : $"{path} has a line that is not KEY=VALUE.");
            }
        }

        return new ConfigurationBuilder().AddInMemoryCollection(variables).Build();
    }

    private static string Text(string path)
    {
        var text = SecretText.Read(path);
        return text.Obstacle is { } obstacle ? throw new CommandException(ExitCode.WrongUsage, $"{path} {obstacle}.") : text.Content;
    }

    private static Members Nobody => new(LocalTarget: null, PublicTarget: null, StaticLeader: null, Peers: [], UsesMajority: false);

    private static Argument<string[]> Ids()
    {
        var ids = new Argument<string[]>("node-id")
        {
            Description = "A node's BASE_NODE_ID; none: a shared secret.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        ids.Validators.Add(result =>
        {
            var problems = new List<string>();
            foreach (var id in result.Tokens)
            {
                NameRules.Check(HaKeys.NodeId, id.Value, problems);
            }

            problems.ForEach(result.AddError);
        });
        return ids;
    }

    private static Argument<string?> File(string description) =>
        new("file") { Description = description, Arity = ArgumentArity.ZeroOrOne };

    private static void Require(List<string> problems)
    {
        if (problems.Count > 0)
        {
            throw new CommandException(ExitCode.Failed, string.Join('\n', problems));
        }
    }
}
