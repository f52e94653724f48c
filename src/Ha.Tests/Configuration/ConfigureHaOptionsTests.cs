using System.Text;
using Ha.Configuration;
using Ha.Tests.Support;
using Microsoft.Extensions.Configuration;

namespace Ha.Tests.Configuration;

public class ConfigureHaOptionsTests
{
    [Fact]
    public void Nothing_set_leaves_every_default_and_the_plugin_off()
    {
        var options = Settings.Read();
        var settings = HaSettings.Parse(options, TimeSpan.FromSeconds(30));
        Assert.False(settings.IsActive);
        Assert.Equal(TimeSpan.FromMilliseconds(500), options.HeartbeatInterval);
        Assert.Equal(TimeSpan.FromMilliseconds(1500), settings.LeaseTimeout);
        Assert.Equal(TimeSpan.FromSeconds(7.5), settings.WriteHold);
        Assert.Equal((1000, "default", true, true), (options.WriteHoldMax, options.ClusterId, options.PublicInfo, options.StatusPage));
    }

    [Fact]
    public void Every_variable_reaches_its_option()
    {
        var options = Settings.Read(
            ("BASE_NODE_ID", "n7"),
            ("BASE_LOCAL_TARGET", "http://a"),
            ("BASE_PUBLIC_TARGET", "https://a.example"),
            ("BASE_PEERS", " http://b , http://c,"),
            ("BASE_STATIC_LEADER", "http://b"),
            ("BASE_CLUSTER_SECRET", "first-secret-16b, second-secret-16"),
            ("BASE_CLUSTER_SECRET_FILE", "/secret"),
            ("BASE_NODE_KEY", "key"),
            ("BASE_NODE_KEY_FILE", "/key"),
            ("BASE_PEER_KEYS", "n8=AA==, n9=BB=="),
            ("BASE_INSECURE", "TRUE"),
            ("BASE_HEARTBEAT_INTERVAL", "100ms"),
            ("BASE_LEASE_TIMEOUT", "00:00:00.4"),
            ("BASE_QUORUM", "Majority"),
            ("BASE_PREEMPT", "never"),
            ("BASE_WITNESS", "1"),
            ("BASE_CLUSTER_ID", "blue"),
            ("BASE_FORWARD_MODE", "proxy"),
            ("BASE_FORWARD_OVERRIDE", "true"),
            ("BASE_WRITE_HOLD", "0"),
            ("BASE_WRITE_HOLD_MAX", "5"),
            ("BASE_DRAIN_TIMEOUT", "2s"),
            ("BASE_SHUTDOWN_DELAY", "5s"),
            ("BASE_ADMIN_TOKEN", "token"),
            ("BASE_ADMIN_TOKEN_FILE", "/token"),
            ("BASE_PUBLIC_INFO", "false"),
            ("BASE_STATUS_PAGE", "0"));

        Assert.Empty(options.Malformed);
        Assert.Equal(("n7", "http://a", "https://a.example", "http://b"), (options.NodeId, options.LocalTarget, options.PublicTarget, options.StaticLeader));
        Assert.Equal(["http://b", "http://c"], options.Peers);
        Assert.Equal(["first-secret-16b", "second-secret-16"], options.ClusterSecrets);
        Assert.Equal(("/secret", "token", "/token"), (options.ClusterSecretFile, options.AdminToken, options.AdminTokenFile));
        Assert.Equal(("key", "/key"), (options.NodeKey, options.NodeKeyFile));
        Assert.Equal(["n8=AA==", "n9=BB=="], options.PeerKeys);
        Assert.Equal((true, true, true, false, false), (options.Insecure, options.Witness, options.ForwardOverride, options.PublicInfo, options.StatusPage));
        Assert.Equal((100d, 400d), (options.HeartbeatInterval.TotalMilliseconds, options.LeaseTimeout!.Value.TotalMilliseconds));
        Assert.Equal((QuorumMode.Majority, Preemption.Never, ForwardMode.Proxy), (options.Quorum, options.Preempt, options.ForwardMode));
        Assert.Equal(("blue", TimeSpan.Zero, 5), (options.ClusterId, options.WriteHold, options.WriteHoldMax));
        Assert.Equal((2d, 5d), (options.DrainTimeout.TotalSeconds, options.ShutdownDelay.TotalSeconds));
    }

    [Fact]
    public void Every_known_key_is_read()
    {
        var asked = new HashSet<string>(StringComparer.Ordinal);
        new ConfigureHaOptions(new RecordingConfiguration(asked)).Configure(new HaOptions());
        Assert.Equal(HaKeys.Known.Order(StringComparer.Ordinal), asked.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void An_empty_variable_counts_as_not_set()
    {
        var options = Settings.Read(HaKeys.Known.Select(key => (key, (string?)"  ")).ToArray());
        Assert.False(HaSettings.Parse(options).IsActive);
        Assert.Equal("n1", options.NodeId);
    }

    [Fact]
    public void A_json_file_may_hold_arrays()
    {
        var json = """{ "BASE_PEERS": ["http://a", "http://b"], "BASE_LOCAL_TARGET": "http://a", "BASE_WITNESS": true }""";
        var configuration = new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build();
        var options = new HaOptions();
        new ConfigureHaOptions(configuration).Configure(options);
        Assert.Empty(options.Malformed);
        Assert.Equal(["http://a", "http://b"], options.Peers);
        Assert.True(options.Witness);
    }

    [Fact]
    public void A_json_object_where_a_value_belongs_is_reported()
    {
        var json = """{ "BASE_PEERS": [{ "url": "http://a" }], "BASE_NODE_ID": ["a"] }""";
        var configuration = new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build();
        var options = new HaOptions();
        new ConfigureHaOptions(configuration).Configure(options);
        Assert.Equal(2, options.Malformed.Count);
        Assert.Contains(options.Malformed, p => p.StartsWith("BASE_PEERS holds something", StringComparison.Ordinal));
        Assert.Contains(options.Malformed, p => p.StartsWith("BASE_NODE_ID is a list", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("BASE_INSECURE", "yes", "BASE_INSECURE (yes) is neither true nor false.")]
    [InlineData("BASE_WRITE_HOLD_MAX", "many", "BASE_WRITE_HOLD_MAX (many) is not a whole number.")]
    [InlineData("BASE_WRITE_HOLD_MAX", "99999999999", "BASE_WRITE_HOLD_MAX (99999999999) is not a whole number.")]
    [InlineData("BASE_QUORUM", "all", "BASE_QUORUM (all) is not one of auto, majority, off.")]
    [InlineData("BASE_QUORUM", "1", "BASE_QUORUM (1) is not one of auto, majority, off.")]
    [InlineData("BASE_PREEMPT", "maybe", "BASE_PREEMPT (maybe) is not one of auto, manual, never.")]
    [InlineData("BASE_FORWARD_MODE", "307", "BASE_FORWARD_MODE (307) is not one of redirect, proxy.")]
    [InlineData("BASE_HEARTBEAT_INTERVAL", "500", "BASE_HEARTBEAT_INTERVAL (500) has no unit; write 500ms or 500s.")]
    [InlineData("BASE_DRAIN_TIMEOUT", "-1s", "BASE_DRAIN_TIMEOUT (-1s) is negative; write it like 500ms, 1.5s, 2m or 00:00:00.5.")]
    public void A_value_that_cannot_be_read_is_reported_while_the_plugin_is_on(string key, string value, string expected)
    {
        Assert.Equal(expected, Settings.ProblemOfCluster((key, value)));
        Assert.Empty(Settings.Problems((key, value)));
    }

    [Theory]
    [InlineData("BASE_PEER", "BASE_PEERS")]
    [InlineData("BASE_LOCALTARGET", "BASE_LOCAL_TARGET")]
    [InlineData("base_local_tagret", "BASE_LOCAL_TARGET")]
    [InlineData("BASE_CLUSTER_SECRETS", "BASE_CLUSTER_SECRET")]
    public void A_mistyped_key_is_reported_with_the_one_meant_while_the_plugin_is_on(string key, string meant)
    {
        Assert.Equal($"{key} is not a setting; did you mean {meant}? Rename or remove it.", Settings.ProblemOfCluster((key, "x")));
        Assert.Empty(Settings.Problems((key, "x")));
    }

    [Theory]
    [InlineData("BASE_URL")]
    [InlineData("BASE_PATH")]
    [InlineData("BASELINE")]
    [InlineData("DATABASE_PEERS")]
    [InlineData("Base")]
    public void A_key_of_someone_else_is_left_alone(string key) => Assert.Empty(Settings.Problems(Settings.Cluster((key, "x"))));

    [Fact]
    public void All_problems_come_in_one_message()
    {
        var options = Settings.Read(Settings.Cluster(
            ("BASE_WITNES", "true"), ("BASE_LEASE_TIMEOUT", "400ms"), ("BASE_QUORUM", "x"), ("BASE_CLUSTER_SECRET", "short")));
        var error = Assert.ThrowsAny<Exception>(() => HaSettings.Parse(options));
        Assert.StartsWith("Ha cannot start, 4 settings are wrong:", error.Message, StringComparison.Ordinal);
        Assert.All(
            ["BASE_WITNES ", "BASE_LEASE_TIMEOUT", "BASE_QUORUM", "BASE_CLUSTER_SECRET"],
            key => Assert.Contains($"{Environment.NewLine}  - {key}", error.Message, StringComparison.Ordinal));
        Assert.Equal(error.Message, error.ToString());
    }

    private sealed class RecordingConfiguration(HashSet<string> asked) : IConfiguration
    {
        private readonly IConfiguration _empty = new ConfigurationBuilder().Build();

        public string? this[string key]
        {
            get => GetSection(key).Value;
            set => throw new NotSupportedException();
        }

        public IEnumerable<IConfigurationSection> GetChildren() => [];

        public Microsoft.Extensions.Primitives.IChangeToken GetReloadToken() => _empty.GetReloadToken();

        public IConfigurationSection GetSection(string key)
        {
            asked.Add(key);
            return _empty.GetSection(key);
        }
    }
}
