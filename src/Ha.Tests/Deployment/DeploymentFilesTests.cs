using System.Net;
using System.Text.RegularExpressions;
using Ha.Configuration;
using Ha.Tests.Configuration;
using Ha.Tests.Hosting;
using Ha.Tests.Stores.Kubernetes;
using Ha.Tests.Support;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Deployment;

/// <summary>
/// docs/deploy and docs/load-balancers against the code. That the tools themselves take the files is checked by
/// docs/deploy/check.sh and by the balancers' own tests.
/// </summary>
public partial class DeploymentFilesTests
{
    private static readonly string[] _files =
    [
        .. Directory.GetFiles(Path.Combine(Repository.Root, "docs/deploy"), "*", SearchOption.AllDirectories),
        .. Directory.GetFiles(Path.Combine(Repository.Root, "docs/load-balancers")),
        Path.Combine(Repository.Root, "docs/load-balancers.md"),
    ];

    public static TheoryData<string> NodeFiles => [NodeEnvironments.Compose, NodeEnvironments.Kubernetes, NodeEnvironments.Systemd];

    [Fact]
    public void Every_key_in_them_is_known()
    {
        var keys = Matches(Key());
        Assert.NotEmpty(keys);
        Assert.All(keys, found => Assert.True(HaKeys.Known.Contains(found.Text, StringComparer.Ordinal), $"{found.File} names {found.Text}"));
    }

    [Fact]
    public async Task Every_route_in_them_is_served()
    {
        await using var app = TestApp.Create(TestApp.FixedLeader);
        await app.StartAsync();
        using var client = app.GetTestClient();
        var routes = Matches(Route());
        Assert.NotEmpty(routes);
        foreach (var (file, route) in routes)
        {
            using var answer = await client.GetAsync(new Uri(route, UriKind.Relative));
            Assert.True(answer.StatusCode == HttpStatusCode.OK, $"{file} names {route}: {answer.StatusCode}");
        }
    }

    [Theory]
    [MemberData(nameof(NodeFiles))]
    public void Nodes_with_these_settings_start_as_one_cluster_that_forwards_and_drains(string file)
    {
        var nodes = NodeEnvironments.Of(file);
        foreach (var variables in nodes)
        {
            Assert.Empty(Settings.Problems(variables));
            var settings = Settings.Parse(variables);
            Assert.Equal(2, settings.Peers.Count);
            Assert.Equal(ForwardMode.Proxy, settings.ForwardMode);
            Assert.True(settings.ShutdownDelay > TimeSpan.FromSeconds(1), "shorter than a few probes");
        }

        Assert.Equal(nodes.Count, nodes.Select(node => Value(node, "BASE_NODE_ID")).Distinct(StringComparer.Ordinal).Count());
        var members = Value(nodes[0], "BASE_PEERS").Split(',');
        Assert.All(nodes, node => Assert.Contains(Value(node, "BASE_LOCAL_TARGET"), members));
    }

    [Fact]
    public void Nodes_of_the_Deployment_elect_through_one_Lease_and_differ_by_their_pod()
    {
        var nodes = NodeEnvironments.Of(NodeEnvironments.KubernetesLease);
        foreach (var variables in nodes)
        {
            var options = Settings.Read(variables).UseKubernetes();
            Assert.Empty(TestSettings.Problems(options, TimeSpan.FromSeconds(30)));
            Assert.Equal("kubernetes:notes", options.LeaseStore);
            Assert.Equal(ForwardMode.Proxy, options.ForwardMode);
            Assert.True(options.ShutdownDelay > TimeSpan.FromSeconds(1), "shorter than a few probes");
        }

        Assert.All((string[])["BASE_NODE_ID", "BASE_LOCAL_TARGET"], key =>
            Assert.Equal(nodes.Count, nodes.Select(node => Value(node, key)).Distinct(StringComparer.Ordinal).Count()));
    }

    [Fact]
    public async Task The_Role_is_what_the_lease_store_needs_and_asks_for_and_the_pods_have_it()
    {
        var documents = Yaml.All(NodeEnvironments.KubernetesLease).ToLookup(document => document["kind"].Text);
        var (role, binding) = (documents["Role"].Single(), documents["RoleBinding"].Single());
        Assert.Equal(role["metadata/name"].Text, binding["roleRef/name"].Text);
        var account = documents["ServiceAccount"].Single()["metadata/name"].Text;
        Assert.Equal(account, binding["subjects"].Items.Single()["name"].Text);
        Assert.Equal(account, NodeEnvironments.Deployment["spec/template/spec/serviceAccountName"].Text);
        var rules = role["rules"].Items.Select(rule => (
            Verbs: rule["verbs"].Items.Select(verb => verb.Text!).ToArray(), Name: rule["resourceNames"].Items.SingleOrDefault()?.Text)).ToArray();
        Assert.Equal(
            Ha.Kubernetes.Refusal.Rules("notes"),
            $"rules: [{string.Join(", ", rules.Select(rule => "{apiGroups: [coordination.k8s.io], resources: [leases], " +
                $"{(rule.Name is null ? "" : $"resourceNames: [{rule.Name}], ")}verbs: [{string.Join(", ", rule.Verbs)}]}}"))}]");

        await using var bed = await StoreBed.StartAsync();
        bed.Server.Rules = rules;
        var store = bed.Store();
        var waiting = store.WaitForChangeAsync(CancellationToken.None);
        await Eventually.True(() => bed.Server.Objects.WatchCount is 1);
        var held = await StoreBed.WriteAsync(store, StoreBed.Record("a"), expected: null);
        await StoreBed.WriteAsync(store, StoreBed.Record("a"), held.Version);
        await store.ReadAsync(StoreBed.Self, CancellationToken.None);
        await waiting.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(rules.SelectMany(rule => rule.Verbs).Order(StringComparer.Ordinal), bed.Server.Requests.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Whoever_stops_a_node_waits_longer_than_it_takes()
    {
        var graces = new[]
        {
            NodeEnvironments.StatefulSet["spec/template/spec/terminationGracePeriodSeconds"].Text!,
            NodeEnvironments.Deployment["spec/template/spec/terminationGracePeriodSeconds"].Text!,
            Yaml.Single(NodeEnvironments.Compose)["services/a/stop_grace_period"].Text!.TrimEnd('s'),
            StopTimeout().Match(Repository.Read(NodeEnvironments.Systemd)).Groups["seconds"].Value,
        };
        var host = new Microsoft.Extensions.Hosting.HostOptions().ShutdownTimeout;
        Assert.All(graces, grace => Assert.True(TimeSpan.FromSeconds(int.Parse(grace, null)) > host, grace));
    }

    [Fact]
    public void A_rolling_update_in_Kubernetes_cannot_wait_for_itself()
    {
        var set = NodeEnvironments.StatefulSet;
        foreach (var container in ((Yaml[])[set, NodeEnvironments.Deployment]).Select(pods => pods["spec/template/spec/containers"].Items.Single()))
        {
            Assert.Equal("/_ha/healthz/ready", container["readinessProbe/httpGet/path"].Text);
            Assert.Equal("/_ha/healthz", container["livenessProbe/httpGet/path"].Text);
        }

        Assert.Equal("Parallel", set["spec/podManagementPolicy"].Text);
        var headless = Yaml.All(NodeEnvironments.Kubernetes).Single(document => document["spec/clusterIP"].Text is "None");
        Assert.Equal("true", headless["spec/publishNotReadyAddresses"].Text);
        Assert.Equal(set["spec/serviceName"].Text, headless["metadata/name"].Text);
    }

    [Theory]
    [InlineData(NodeEnvironments.Kubernetes)]
    [InlineData(NodeEnvironments.KubernetesLease)]
    [InlineData(NodeEnvironments.KubernetesLeader)]
    public void Services_and_budgets_select_pods_that_exist_and_ports_that_they_have(string file)
    {
        var documents = Yaml.All(file);
        var pods = documents.Select(document => document["spec/template"]).Single(template => template.Pairs.Any());
        var labels = pods["metadata/labels"].Pairs.Select(pair => (pair.Key, pair.Value.Text)).ToArray();
        var ports = pods["spec/containers"].Items.Single()["ports"].Items.Select(port => (port["name"].Text, port["containerPort"].Text)).ToArray();
        foreach (var document in documents.Where(document => document["spec"].Pairs.Any()))
        {
            var selector = document["spec/selector/matchLabels"].Pairs.Any() ? document["spec/selector/matchLabels"] : document["spec/selector"];
            Assert.Equal(labels, selector.Pairs.Select(pair => (pair.Key, pair.Value.Text)));
            Assert.All(document["spec/ports"].Items, port =>
                Assert.Contains(ports, p => p.Item1 == port["targetPort"].Text || p.Item2 == port["port"].Text));
        }
    }

    [Fact]
    public void HAProxy_is_told_where_the_nodes_are_by_names_that_its_file_reads()
    {
        var file = Repository.Read("docs/load-balancers/haproxy.cfg");
        var composed = Yaml.Single(NodeEnvironments.Compose)["services/haproxy/environment"].Pairs.Select(pair => (pair.Key, pair.Value.Text!)).ToArray();
        var pod = Yaml.All(NodeEnvironments.KubernetesLeader).Single(document => document["kind"].Text is "Deployment")["spec/template/spec/containers"]
            .Items.Single()["env"].Items.Select(variable => (variable["name"].Text!, variable["value"].Text!)).ToArray();
        Assert.All(composed.Concat(pod), variable => Assert.Contains($"\"${{{variable.Item1}-", file, StringComparison.Ordinal));
        Assert.Equal(Members(NodeEnvironments.Compose), Nodes(composed));
        Assert.Equal(Members(NodeEnvironments.Kubernetes).Select(member => member.Replace(":8080", ".notes.svc.cluster.local:8080", StringComparison.Ordinal)), Nodes(pod));

        static IEnumerable<string> Nodes((string Name, string Value)[] variables) =>
            variables.Where(variable => variable.Name.StartsWith("NODE_", StringComparison.Ordinal)).Select(variable => variable.Value);
        static IEnumerable<string> Members(string file) =>
            Value(NodeEnvironments.Of(file)[0], "BASE_PEERS").Split(',').Select(url => new Uri(url).Authority);
    }

    private static string Value((string Key, string? Value)[] variables, string key) => variables.Single(variable => variable.Key == key).Value!;

    private static (string File, string Text)[] Matches(Regex pattern) =>
        [.. _files.SelectMany(file => pattern.Matches(File.ReadAllText(file)).Select(match => (Path.GetFileName(file), match.Value))).Distinct()];

    [GeneratedRegex("BASE_[A-Z_]+", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Key();

    [GeneratedRegex("/_ha/healthz[a-z/]*(?<![/])", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Route();

    [GeneratedRegex("^TimeoutStopSec=(?<seconds>[0-9]+)s$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex StopTimeout();
}
