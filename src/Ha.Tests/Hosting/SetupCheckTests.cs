using Ha.Tests.Configuration;
using Ha.Tests.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Hosting;

public class SetupCheckTests
{
    [Fact]
    public async Task A_list_of_members_under_another_name_is_named_by_a_node_that_would_lead_alone()
    {
        using var logs = new RecordedLogs();
        await StartAsync(logs, ("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_MEMBERS", "http://a:1,http://b:1"), ("BASE_CLUSTER_SECRET", Settings.Secret));

        Assert.Equal((LogLevel.Warning, "BASE_MEMBERS"), Said(logs, 1421, "BASE_MEMBERS"));
        Assert.Equal((LogLevel.Warning, "Set BASE_PEERS to the URLs of all nodes"), Said(logs, 1422, "Set BASE_PEERS to the URLs of all nodes"));
    }

    [Fact]
    public async Task Unknown_keys_are_listed_once_together()
    {
        using var logs = new RecordedLogs();
        await StartAsync(logs, Settings.Cluster(("BASE_URL", "x"), ("BASE_MEMBERS", "y"), ("BASE_EMPTY", " ")));

        var said = Assert.Single(logs.Entries, entry => entry.Id == 1421);
        Assert.Contains(": BASE_MEMBERS, BASE_URL. ", said.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("BASE_NODE_IP", "10.0.0.1")]
    [InlineData("BASE_NODE_ID", "not a name")]
    [InlineData("BASE_CLUSTER_SECRET_FILE", "/no/such/file")]
    [InlineData("BASE_HEARTBEAT_INTERVAL", "often")]
    public async Task While_the_plugin_is_off_nothing_stops_the_start_and_what_has_no_effect_is_told(string key, string value)
    {
        using var logs = new RecordedLogs();
        await StartAsync(logs, (key, value), ("BASE_URL", "x"));

        var said = Assert.Single(logs.Entries, entry => entry.Id is > 1400 and < 1500);
        Assert.Equal((1420, LogLevel.Information), (said.Id, said.Level));
        Assert.EndsWith($"no effect: {key}.", said.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_single_node_that_says_so_hears_no_warning()
    {
        using var logs = new RecordedLogs();
        await StartAsync(logs, ("BASE_LOCAL_TARGET", "http://a:1"), ("BASE_PEERS", "http://a:1"));
        Assert.DoesNotContain(logs.Entries, entry => entry.Level > LogLevel.Information);
    }

    [Fact]
    public async Task A_fixed_leader_beside_peers_is_told_to_win()
    {
        using var logs = new RecordedLogs();
        await StartAsync(logs, [.. TestApp.FixedLeader, ("BASE_PEERS", "http://b:1")]);
        Assert.Equal((LogLevel.Warning, "BASE_PEERS has no effect"), Said(logs, 1423, "BASE_PEERS has no effect"));
    }

    private static (LogLevel Level, string Part) Said(RecordedLogs logs, int id, string part)
    {
        var entry = Assert.Single(logs.Entries, entry => entry.Id == id);
        Assert.Contains(part, entry.Text, StringComparison.Ordinal);
        return (entry.Level, part);
    }

    private static async Task StartAsync(RecordedLogs logs, params (string Key, string? Value)[] variables)
    {
        await using var app = TestApp.Create(variables, builder => builder.Services.AddSingleton<ILoggerFactory>(logs));
        await app.StartAsync();
    }
}
