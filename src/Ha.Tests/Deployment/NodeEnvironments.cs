using System.Text.RegularExpressions;
using Ha.Tests.Configuration;
using Ha.Tests.Support;

namespace Ha.Tests.Deployment;

/// <summary>The variables that each node gets from the files in docs/deploy, with made-up secrets.</summary>
internal static partial class NodeEnvironments
{
    public const string Compose = "docs/deploy/compose.yaml";
    public const string Kubernetes = "docs/deploy/kubernetes/notes.yaml";
    public const string KubernetesLeader = "docs/deploy/kubernetes/leader.yaml";
    public const string Systemd = "docs/deploy/systemd/notes@.service";

    public static IReadOnlyList<(string Key, string? Value)[]> Of(string file) => file switch
    {
        Compose => [.. Yaml.Single(file)["services"].Pairs.Select(service => OfComposed(service.Value)).Where(HasNodeId)],
        Kubernetes => [.. Enumerable.Range(0, int.Parse(StatefulSet["spec/replicas"].Text!, null)).Select(OfPod)],
        Systemd => [OfUnit()],
        _ => throw new ArgumentOutOfRangeException(nameof(file), file, "No nodes are made from this file."),
    };

    public static Yaml StatefulSet => Yaml.All(Kubernetes).Single(document => document["kind"].Text is "StatefulSet");

    private static bool HasNodeId((string Key, string? Value)[] variables) => variables.Any(variable => variable.Key is "BASE_NODE_ID");

    private static (string, string?)[] OfComposed(Yaml service) =>
        [.. service["environment"].Pairs.Select(pair => (pair.Key, (string?)Required().Replace(pair.Value.Text!, Settings.Secret)))];

    private static (string, string?)[] OfPod(int ordinal)
    {
        var name = $"{StatefulSet["metadata/name"].Text}-{ordinal}";
        var container = Assert.Single(StatefulSet["spec/template/spec/containers"].Items);
        return [.. container["env"].Items.Select(variable => (variable["name"].Text!,
            variable["valueFrom/secretKeyRef"].Pairs.Any() ? Settings.Secret : variable["value"].Text?.Replace("$(POD_NAME)", name, StringComparison.Ordinal)))];
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
