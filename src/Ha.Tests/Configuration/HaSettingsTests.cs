using System.Collections;
using System.Reflection;
using Ha.Configuration;
using Ha.Hosting;
using Ha.Http;
using Ha.Leadership;
using Ha.Security;
using Ha.Telemetry;
using Ha.Tests.Security.Signing;
using Ha.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Configuration;

public sealed class HaSettingsTests : IDisposable
{
    private static readonly TimeSpan _halfMinute = TimeSpan.FromSeconds(30);
    private readonly TestAuthority _authority = new();

    public void Dispose() => _authority.Dispose();

    [Fact]
    public void A_sound_cluster_has_no_problem_and_normalised_urls()
    {
        var options = Settings.Read(Settings.Cluster(("BASE_LOCAL_TARGET", "HTTP://A:1/"), ("BASE_PUBLIC_TARGET", "https://A.example:443/")));
        var settings = HaSettings.Parse(options, _halfMinute);
        Assert.Equal(("http://a:1", "https://a.example"), (settings.LocalTarget, settings.PublicTarget));
        Assert.Equal(["http://b:1", "http://c:1"], settings.Peers);
        Assert.True(settings.UsesMajority);
    }

    [Fact]
    public void A_second_parse_says_the_same()
    {
        var sound = Settings.Read(Settings.Cluster());
        Assert.Equal(2, HaSettings.Parse(sound).Peers.Count);
        AssertEqual(HaSettings.Parse(sound), HaSettings.Parse(sound));

        var wrong = Settings.Read(Settings.Cluster(("BASE_PEERS", "http://b,HTTP://B:80/,c"), ("BASE_CLUSTER_SECRET_FILE", "/x")));
        var problems = TestSettings.Problems(wrong);
        Assert.Equal(3, problems.Count);
        Assert.Equal(problems, TestSettings.Problems(wrong));
    }

    [Theory]
    [InlineData("BASE_QUORUM", "auto")]
    [InlineData("BASE_QUORUM", "wrong")]
    [InlineData("BASE_PEERS", "http://A:1,c")]
    [InlineData("BASE_CA_FILE", "/missing")]
    public void A_callers_options_stay_as_they_are(string key, string value)
    {
        var options = Settings.Read([.. Files().Where(variable => variable.Key != key), ("BASE_PUBLIC_TARGET", "HTTPS://A.example:443/"), ("BASE_QUORUN", "off"), (key, value)]);
        var before = ValuesOf(options);
        TestSettings.Problems(options, _halfMinute);
        Assert.Equal(before, ValuesOf(options));
    }

    [Fact]
    public void Changing_the_options_later_changes_no_settings()
    {
        var options = Settings.Read(Files());
        var settings = HaSettings.Parse(options);
        var expected = HaSettings.Parse(options);
        options.Peers.Clear();
        options.PeerKeys.Clear();
        options.ForwardNever.Clear();
        options.ForwardAlways.Add("/later");
        options.ClusterSecrets.Add(Settings.Secret);
        options.KeysFound.Clear();
        AssertEqual(expected, settings);
    }

    [Fact]
    public void Each_file_is_read_once_even_when_two_settings_name_it()
    {
        var options = Settings.Read(Files());
        var read = new List<string>();
        HaSettings.Parse(options, read: path =>
        {
            read.Add(path);
            return SecretText.Read(path);
        });

        Assert.Equal(options.ClientCertFile, options.ClientKeyFile);
        Assert.Equal(
            new[] { options.ClusterSecretFile, options.NodeKeyFile, options.AdminTokenFile, options.CaFile, options.ClientCertFile }.Order(StringComparer.Ordinal),
            read.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_node_is_made_without_a_second_look_at_its_files()
    {
        var settings = Settings.Parse(Files());
        Array.ForEach(Directory.GetFiles(_authority.Folder), File.Delete);

        using var metrics = new HaMetrics();
        var telemetry = new ElectionTelemetry(NullLoggerFactory.Instance, metrics, TimeProvider.System);
        using var tls = HaNodeFactory.CreateTls(settings, telemetry);
        using var lux = new LuxLeader(settings, new Unplugged(), BootClock.Instance, telemetry);
        Assert.Same(settings.Tls.AtStart, tls.Current);
        Assert.Equal("n1", lux.Current.NodeId);
    }

    [Theory]
    [InlineData("BASE_LOCAL_TARGET", "a:1", "BASE_LOCAL_TARGET (a:1) has no scheme; write http://a:1 or the https form.")]
    [InlineData("BASE_PUBLIC_TARGET", "http://a/x", "BASE_PUBLIC_TARGET (http://a/x) has something after the host and port; nodes are addressed from the root, so write http://a.")]
    [InlineData("BASE_STATIC_LEADER", "http://u:pw@a", "BASE_STATIC_LEADER (http://***@a) carries a user name or password; leave only scheme, host and port.")]
    [InlineData("BASE_PEERS", "http://b:1,c", "BASE_PEERS (c) has no scheme; write http://c or the https form.")]
    [InlineData("BASE_PEERS", "http://b:80/,HTTP://B", "BASE_PEERS (HTTP://B) names http://b a second time, after (http://b:80/); remove one of them.")]
    [InlineData("BASE_LOCAL_TARGET", "", "BASE_PEERS (http://a:1,http://b:1,http://c:1) is set but BASE_LOCAL_TARGET is not; set BASE_LOCAL_TARGET to this node's own URL as its peers reach it, such as http://node-1:8080.")]
    [InlineData("BASE_LEASE_TIMEOUT", "900ms", "BASE_LEASE_TIMEOUT (900ms) must be at least twice BASE_HEARTBEAT_INTERVAL (500ms); raise it to 1s or more, or leave it unset for three intervals.")]
    [InlineData("BASE_LEASE_TIMEOUT", "0", "BASE_LEASE_TIMEOUT (0) must be at least twice BASE_HEARTBEAT_INTERVAL (500ms); raise it to 1s or more, or leave it unset for three intervals.")]
    [InlineData("BASE_HEARTBEAT_INTERVAL", "9ms", "BASE_HEARTBEAT_INTERVAL (9ms) must be at least 10ms; leave it unset for 500ms.")]
    [InlineData("BASE_HEARTBEAT_INTERVAL", "0", "BASE_HEARTBEAT_INTERVAL (0) must be at least 10ms; leave it unset for 500ms.")]
    [InlineData("BASE_WRITE_HOLD", "2h", "BASE_WRITE_HOLD (2h) must be at most 1h.")]
    [InlineData("BASE_LEASE_TIMEOUT", "90000h", "BASE_LEASE_TIMEOUT (90000h) must be at most 1h.")]
    [InlineData("BASE_WRITE_HOLD_MAX", "-1", "BASE_WRITE_HOLD_MAX (-1) must be from 0 to 1000000; to hold nothing write BASE_WRITE_HOLD=0.")]
    [InlineData("BASE_NODE_ID", "a b", "BASE_NODE_ID (a b) must be printable ASCII")]
    [InlineData("BASE_NODE_ID", "a,b", "BASE_NODE_ID (a,b) must be printable ASCII")]
    [InlineData("BASE_NODE_ID", "a\"b", "BASE_NODE_ID (a\"b) must be printable ASCII")]
    [InlineData("BASE_NODE_ID", "a\u0001b", "BASE_NODE_ID (a?b) must be printable ASCII")]
    [InlineData("BASE_CLUSTER_ID", "grün", "BASE_CLUSTER_ID (grün) must be printable ASCII")]
    [InlineData("BASE_CLUSTER_SECRET", "hunter2", "BASE_CLUSTER_SECRET (7 bytes) is shorter than 16 bytes; make one with: openssl rand -base64 32.")]
    [InlineData("BASE_CLUSTER_SECRET", "0123456789abcdef,hunter2", "BASE_CLUSTER_SECRET (secret 2, 7 bytes) is shorter than 16 bytes")]
    [InlineData("BASE_CLUSTER_SECRET", "$(openssl rand -base64 32)", "BASE_CLUSTER_SECRET (26 bytes) is a command or a placeholder that nobody has run or filled in; write the output of: openssl rand -base64 32.")]
    [InlineData("BASE_CLUSTER_SECRET", "0123456789abcdef,`hunter --seed 2`", "BASE_CLUSTER_SECRET (secret 2, 17 bytes) is a command or a placeholder")]
    [InlineData("BASE_CLUSTER_SECRET", "${HUNTERS_SECRET:?}", "BASE_CLUSTER_SECRET (19 bytes) is a command or a placeholder")]
    [InlineData("BASE_CLUSTER_SECRET", "<the hunters' secret>", "BASE_CLUSTER_SECRET (21 bytes) is a command or a placeholder")]
    [InlineData("BASE_CLUSTER_SECRET", "\"<the hunters' secret>\"", "BASE_CLUSTER_SECRET (23 bytes) is a command or a placeholder")]
    [InlineData("BASE_CLUSTER_SECRET", "", "BASE_CLUSTER_SECRET is not set, so anyone who reaches this node could become its leader; set it to one value on every node, make one with: openssl rand -base64 32 (for a trial without signatures: BASE_INSECURE=true).")]
    [InlineData("BASE_ADMIN_TOKEN", "hunter 2", "BASE_ADMIN_TOKEN (8 characters) must be printable ASCII without spaces")]
    [InlineData("BASE_ADMIN_TOKEN", "hunter2-hunter2", "BASE_ADMIN_TOKEN (15 characters) is shorter than 16 characters; make one with: openssl rand -base64 32.")]
    [InlineData("BASE_ADMIN_TOKEN", "<token-of-the-hunters>", "BASE_ADMIN_TOKEN (22 characters) is a command or a placeholder")]
    [InlineData("BASE_ADMIN_TOKEN", "$(openssl rand -base64 32)", "BASE_ADMIN_TOKEN (26 characters) is a command or a placeholder")]
    [InlineData("BASE_SHUTDOWN_DELAY", "25s", "BASE_SHUTDOWN_DELAY (25s) + BASE_DRAIN_TIMEOUT (5s) + BASE_LEASE_TIMEOUT (1.5s) must fit HostOptions.ShutdownTimeout (30s); lower them, or raise it: DOTNET_shutdownTimeoutSeconds=37")]
    public void One_wrong_value_gives_one_message_with_key_value_and_remedy(string key, string value, string expected)
    {
        var problem = Settings.ProblemOfCluster((key, value));
        Assert.StartsWith(expected, problem, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void The_message_of_the_lease_is_the_one_in_the_documents() => Assert.StartsWith(
        "BASE_LEASE_TIMEOUT (400ms) must be at least twice BASE_HEARTBEAT_INTERVAL (500ms)",
        Settings.ProblemOfCluster(("BASE_LEASE_TIMEOUT", "400ms")),
        StringComparison.Ordinal);

    [Fact]
    public void A_lease_of_exactly_two_intervals_is_enough() =>
        Assert.Empty(Settings.Problems(Settings.Cluster(("BASE_LEASE_TIMEOUT", "1s"))));

    [Theory]
    [InlineData("BASE_INSECURE", "true", "BASE_CLUSTER_SECRET", "")]
    [InlineData("BASE_PEERS", "HTTP://A:1/", "BASE_CLUSTER_SECRET", "")]
    [InlineData("BASE_STATIC_LEADER", "http://b:1", "BASE_CLUSTER_SECRET", "")]
    [InlineData("BASE_SHUTDOWN_DELAY", "30s", "BASE_STATIC_LEADER", "http://b:1")]
    [InlineData("BASE_STATIC_LEADER", "http://127.0.0.1:9001", "BASE_LOCAL_TARGET", "http://node-2:8080")]
    public void Combinations_that_are_fine(string key1, string value1, string key2, string value2) =>
        Assert.Empty(Settings.Problems(Settings.Cluster((key1, value1), (key2, value2))));

    [Fact]
    public void Static_leader_alone_is_enough() => Assert.Empty(Settings.Problems(("BASE_STATIC_LEADER", "http://b:1")));

    [Fact]
    public void A_static_leader_is_named_by_the_url_its_peers_reach() => Assert.StartsWith(
        "BASE_STATIC_LEADER (http://public:1) is this node's BASE_PUBLIC_TARGET",
        Settings.ProblemOfCluster(("BASE_STATIC_LEADER", "http://public:1"), ("BASE_PUBLIC_TARGET", "http://public:1")),
        StringComparison.Ordinal);

    [Theory]
    [InlineData("BASE_LOCAL_TARGET", "http://localhost:1", "BASE_LOCAL_TARGET (http://localhost:1) leads each machine to itself, but BASE_PEERS (http://a:1) is no loopback address; write the name")]
    [InlineData("BASE_LOCAL_TARGET", "http://127.0.0.2:1", "BASE_LOCAL_TARGET (http://127.0.0.2:1) leads each machine to itself")]
    [InlineData("BASE_PEERS", "http://b:1,http://[::1]:1", "BASE_PEERS (http://[::1]:1) leads each machine to itself, but BASE_LOCAL_TARGET (http://a:1) is no loopback address")]
    [InlineData("BASE_PEERS", "http://b:1,http://shop.localhost", "BASE_PEERS (http://shop.localhost) leads each machine to itself")]
    [InlineData("BASE_PEERS", "http://a.:1,http://b:1", "BASE_PEERS (http://a.:1) is BASE_LOCAL_TARGET (http://a:1) in another spelling, and members are told apart by their URLs; write each URL")]
    [InlineData("BASE_PEERS", "https://a:1,http://b:1", "BASE_PEERS (https://a:1) is BASE_LOCAL_TARGET (http://a:1) in another spelling")]
    [InlineData("BASE_PEERS", "http://b:1,http://b.:1", "BASE_PEERS (http://b.:1) is BASE_PEERS (http://b:1) in another spelling")]
    [InlineData("BASE_PEERS", "http://10.0.0.1:1,http://[::ffff:10.0.0.1]:1", "BASE_PEERS (http://[::ffff:10.0.0.1]:1) is BASE_PEERS (http://10.0.0.1:1) in another spelling")]
    [InlineData("BASE_STATIC_LEADER", "http://a.:1", "BASE_STATIC_LEADER (http://a.:1) is BASE_LOCAL_TARGET (http://a:1) in another spelling")]
    public void An_address_that_is_two_members_or_none_is_refused(string key, string value, string expected) =>
        Assert.StartsWith(expected, Settings.ProblemOfCluster((key, value)), StringComparison.Ordinal);

    [Theory]
    [InlineData("http://127.0.0.1:1", "http://127.0.0.1:2,http://127.0.0.1:3")]
    [InlineData("http://127.0.0.1:1", "http://127.0.0.2:1,http://localhost:2")]
    [InlineData("http://a:1", "http://a:2,https://a:3")]
    public void Members_of_one_machine_are_told_apart_by_their_ports(string local, string peers) =>
        Assert.Empty(Settings.Problems(Settings.Cluster(("BASE_LOCAL_TARGET", local), ("BASE_PEERS", peers))));

    [Fact]
    public void The_own_address_in_another_spelling_of_loopback_is_refused() => Assert.StartsWith(
        "BASE_PEERS (http://localhost:1) is BASE_LOCAL_TARGET (http://127.0.0.1:1) in another spelling",
        Settings.ProblemOfCluster(("BASE_LOCAL_TARGET", "http://127.0.0.1:1"), ("BASE_PEERS", "http://localhost:1,http://localhost:2")),
        StringComparison.Ordinal);

    [Fact]
    public void One_node_alone_needs_no_secret() => Assert.Empty(Settings.Problems(("BASE_LOCAL_TARGET", "http://a:1")));

    [Fact]
    public void A_witness_needs_votes_to_cast()
    {
        Assert.Empty(Settings.Problems(Settings.Cluster(("BASE_WITNESS", "true"))));
        Assert.StartsWith(
            "BASE_WITNESS (true) votes in an election, but BASE_STATIC_LEADER (http://b:1) rules it out",
            Settings.ProblemOfCluster(("BASE_WITNESS", "true"), ("BASE_STATIC_LEADER", "http://b:1")),
            StringComparison.Ordinal);
        Assert.StartsWith(
            "BASE_WITNESS (true) never leads, so it needs others",
            Settings.ProblemOfCluster(("BASE_WITNESS", "true"), ("BASE_PEERS", "http://a:1")),
            StringComparison.Ordinal);
        Assert.StartsWith(
            "BASE_WITNESS (true) votes, but nobody votes with BASE_QUORUM (auto) and 2 members",
            Settings.ProblemOfCluster(("BASE_WITNESS", "true"), ("BASE_PEERS", "http://b:1")),
            StringComparison.Ordinal);
        Assert.StartsWith(
            "BASE_WITNESS (true) votes, but nobody votes with BASE_QUORUM (off) and 3 members",
            Settings.ProblemOfCluster(("BASE_WITNESS", "true"), ("BASE_QUORUM", "off")),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Limits_hold_and_are_reached()
    {
        var peers = Enumerable.Range(0, MemberRules.MaxPeers).Select(i => $"http://p{i}").ToArray();
        Assert.Empty(Settings.Problems(Settings.Cluster(("BASE_PEERS", string.Join(',', peers)))));
        Assert.Equal(
            "BASE_PEERS names 101 other nodes; use at most 100.",
            Settings.ProblemOfCluster(("BASE_PEERS", string.Join(',', peers.Append("http://one-more")))));
        Assert.Empty(Settings.Problems(Settings.Cluster(("BASE_NODE_ID", new string('a', PlainName.MaxLength)))));
        Assert.Contains("has 129 characters; use at most 128", Settings.ProblemOfCluster(("BASE_NODE_ID", new string('a', 129))), StringComparison.Ordinal);
        Assert.Contains(
            "holds 17 secrets; use at most 16",
            Settings.ProblemOfCluster(("BASE_CLUSTER_SECRET", string.Join(',', Enumerable.Repeat(Settings.Secret, 17)))),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Options_set_in_code_are_checked_alike()
    {
        var options = new HaOptions
        {
            NodeId = "",
            LocalTarget = "http://a",
            HeartbeatInterval = TimeSpan.MaxValue,
            LeaseTimeout = TimeSpan.FromSeconds(-1),
            DrainTimeout = TimeSpan.FromSeconds(-2),
            ShutdownDelay = TimeSpan.MaxValue,
            Quorum = (QuorumMode)7,
            Peers = { null!, "http://b" },
            ClusterSecrets = { null! },
        };
        var problems = TestSettings.Problems(options, _halfMinute);
        Assert.All(
            [
                "BASE_NODE_ID is empty", "BASE_LEASE_TIMEOUT (-1s) is negative", "BASE_DRAIN_TIMEOUT (-2s) is negative",
                "BASE_QUORUM (7) is not one of", "BASE_PEERS () is empty", "BASE_CLUSTER_SECRET (0 bytes)", "BASE_SHUTDOWN_DELAY (",
                "BASE_HEARTBEAT_INTERVAL (",
            ],
            start => Assert.Contains(problems, p => p.StartsWith(start, StringComparison.Ordinal)));
        Assert.Throws<InvalidHaOptionsException>(() => HaSettings.Parse(options));
    }

    [Fact]
    public void An_infinite_shutdown_timeout_fits_everything()
    {
        var options = Settings.Read(Settings.Cluster(("BASE_SHUTDOWN_DELAY", "1h")));
        Assert.Empty(TestSettings.Problems(options, Timeout.InfiniteTimeSpan));
        Assert.Empty(TestSettings.Problems(options));
        Assert.Single(TestSettings.Problems(options, _halfMinute));
    }

    /// <summary>A cluster with every setting that names a file.</summary>
    private (string Key, string? Value)[] Files()
    {
        var own = _authority.Issue("n1");
        var both = _authority.Write("both.pem", File.ReadAllText(own.File) + "\n" + File.ReadAllText(own.KeyFile));
        return Settings.Cluster(
            ("BASE_LOCAL_TARGET", "HTTPS://A:1/"),
            ("BASE_PEERS", "https://a:1,https://b:1,https://c:1"),
            ("BASE_CLUSTER_SECRET", ""),
            ("BASE_CLUSTER_SECRET_FILE", _authority.Write("secrets", $"{Settings.Secret}\n{Rings.OldSecret}\n")),
            ("BASE_FORWARD_NEVER", "/hooks"),
            ("BASE_NODE_KEY_FILE", _authority.Write("node.key", NodeKeys.PrivateOf("n1"))),
            ("BASE_PEER_KEYS", NodeKeys.EntryOf("n2")),
            ("BASE_ADMIN_TOKEN_FILE", _authority.Write("token", "let-me-in-for-tests\n")),
            ("BASE_CA_FILE", _authority.File),
            ("BASE_CLIENT_CERT_FILE", both),
            ("BASE_CLIENT_KEY_FILE", both));
    }

    private static Dictionary<string, object?> ValuesOf(HaOptions options) =>
        typeof(HaOptions).GetProperties(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).ToDictionary(
            property => property.Name,
            property => property.GetValue(options) is IList list ? string.Join('\n', list.Cast<object?>()) : property.GetValue(options),
            StringComparer.Ordinal);

    private static void AssertEqual(HaSettings expected, HaSettings actual)
    {
        Assert.True(expected.Keys.AtStart.IsSameAs(actual.Keys.AtStart));
        Assert.True(expected.Tls.AtStart.IsSameAs(actual.Tls.AtStart));
        Assert.Equal(expected.AdminToken is null, actual.AdminToken is null);
        Assert.True(expected.AdminToken?.AtStart.IsSameAs(actual.AdminToken!.AtStart) != false);
        Assert.Equal(expected.Prefixes.LongestFirst, actual.Prefixes.LongestFirst);
        var others = typeof(HaSettings).GetProperties().Where(property => property.Name is not
            (nameof(HaSettings.Keys) or nameof(HaSettings.Tls) or nameof(HaSettings.AdminToken) or nameof(HaSettings.Prefixes)));
        Assert.All(others, property => Assert.Equal(property.GetValue(expected), property.GetValue(actual)));
    }

    [Fact]
    public void The_exception_is_the_one_that_options_validation_throws() =>
        Assert.IsType<OptionsValidationException>(new InvalidHaOptionsException(["x"]), exactMatch: false);

    private sealed class Unplugged : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromException<HttpResponseMessage>(new HttpRequestException("unplugged"));
    }
}
