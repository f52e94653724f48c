using System.Text.RegularExpressions;
using Ha.Tests.Configuration;
using Ha.Tests.Support;

namespace Ha.Tests.Deployment;

/// <summary>The variables that each node gets from the files in docs/deploy, with made-up secrets.</summary>
internal static partial class NodeEnvironments
{
    public const string Compose = "docs/deploy/compose.yaml";
    public const string Kubernetes = "docs/deploy/kubernetes/notes.yaml";
    public const string KubernetesLease = "docs/deploy/kubernetes/notes-lease.yaml";
    public const string KubernetesLeader = "docs/deploy/kubernetes/leader.yaml";
    public const string Systemd = "docs/deploy/systemd/notes@.service";

    public static IReadOnlyList<(string Key, string? Value)[]> Of(string file) => file switch
    {
        Compose => [.. Yaml.Single(file)["services"].Pairs.Select(service => OfComposed(service.Value)).Where(HasNodeId)],
        Kubernetes => OfPods(StatefulSet, ordinal => $"{ordinal}"),
        KubernetesLease => OfPods(Deployment, ordinal => $"7d4b9c-x{ordinal}"),
        Systemd => [OfUnit()],
        _ => throw new ArgumentOutOfRangeException(nameof(file), file, "No nodes are made from this file."),
    };

    public static Yaml StatefulSet => Yaml.All(Kubernetes).Single(document => document["kind"].Text is "StatefulSet");

    public static Yaml Deployment => Yaml.All(KubernetesLease).Single(document => document["kind"].Text is "Deployment");

    private static bool HasNodeId((string Key, string? Value)[] variables) => variables.Any(variable => variable.Key is "BASE_NODE_ID");

    private static (string, string?)[] OfComposed(Yaml service) =>
        [.. service["environment"].Pairs.Select(pair => (pair.Key, (string?)Required().Replace(pair.Value.Text!, Settings.Secret)))];

    /// <param name="workload">A StatefulSet or a Deployment.</param>
    /// <param name="suffix">Of a pod's name, by its number.</param>
    private static (string, string?)[][] OfPods(Yaml workload, Func<int, string> suffix) =>
        [.. Enumerable.Range(0, int.Parse(workload["spec/replicas"].Text!, null)).Select(ordinal => OfPod(workload, suffix(ordinal), $"10.0.0.{ordinal + 1}"))];

    private static (string, string?)[] OfPod(Yaml workload, string suffix, string address)
    {
        var name = $"{workload["metadata/name"].Text}-{suffix}";
        var container = Assert.Single(workload["spec/template/spec/containers"].Items);
        return [.. container["env"].Items.Select(variable => (variable["name"].Text!,
            variable["valueFrom/secretKeyRef"].Pairs.Any() ? Settings.Secret : variable["value"].Text?
                .Replace("$(POD_NAME)", name, StringComparison.Ordinal).Replace("$(POD_IP)", address, StringComparison.Ordinal)))];
    }

    private static (string, string?)[] OfUnit()
    {
        var own = UnitEnvironment().Matches(Repository.Read(Systemd)).Select(match => match.Groups["pair"].Value.Replace("%i", "a", StringComparison.Ordinal))
            .Where(pair => !pair.StartsWith("BASE_CLUSTER_SECRET_FILE=", StringComparison.Ordinal))
            .Append($"BASE_CLUSTER_SECRET={Settings.Secret}");
        var files = ((string[])["notes.env", "a.env"]).SelectMany(file => Repository.Read($"docs/deploy/systemd/{file}").Split('\n'))
            .Where(line => line.Length > 0 && line[0] != '#');
        return [.. own.Concat(files).Select(pair => pair.Split('=', 2)).Select(pair => (pair[0], (string?)pair[1]))];
    }

    [GeneratedRegex(@"\$\{\w+:\?[^}]*\}", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Required();

    [GeneratedRegex(@"^Environment=(?<pair>.+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex UnitEnvironment();
}
