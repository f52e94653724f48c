using Ha.Configuration;
using Ha.Telemetry;

namespace Ha.Security;

/// <summary>
/// Takes new keys from their files while the node runs. What cannot be used changes nothing: the keys in use stay and
/// the log says why.
/// </summary>
internal sealed class KeyReload(HaOptions options, KeySource keys, ElectionTelemetry telemetry)
{
    /// <summary>Watches the files that the options name, if any.</summary>
    public void Start(TimeProvider clock, CancellationToken stopping)
    {
        string?[] named = [options.ClusterSecretFile, options.NodeKeyFile];
        FileWatch.Start([.. named.OfType<string>()], clock, Reload, stopping);
    }

    /// <param name="texts">In the order of <see cref="Start"/>.</param>
    private void Reload(SecretText[] texts)
    {
        var problems = new List<string>();
        IList<string> secrets = options.ClusterSecretFile is { } secretFile
            ? SecretFiles.Secrets(secretFile, texts[0], problems)
            : options.ClusterSecrets;
        var nodeKey = options.NodeKeyFile is { } keyFile
            ? SecretFiles.NodeKey(keyFile, texts[^1], problems)
            : options.NodeKey;
        SecretRules.CheckSecrets(options, secrets, problems);
        var ring = KeyRules.Build(options, secrets, nodeKey, problems);
        if (problems.Count > 0)
        {
            telemetry.KeysRefused(problems);
        }
        else if (!ring.HasSameKeys(keys.Current))
        {
            keys.Current = ring;
            telemetry.KeysReplaced(ring.Signer?.ToString(), ring.Count);
        }
    }
}
