using Ha.Tests.Security.Signing;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Hosting;

/// <summary>Real hosts whose keys stand in files that change while they run.</summary>
public sealed class KeyRotationTests : IDisposable
{
    private static readonly string[] _ids = ["a", "b", "c"];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ha-rotation-");
    private readonly Dictionary<string, RecordedLogs> _logs = _ids.ToDictionary(id => id, _ => new RecordedLogs(), StringComparer.Ordinal);

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_secret_is_replaced_on_one_node_after_the_other_and_leadership_stays()
    {
        await using var cluster = await StartAsync("BASE_CLUSTER_SECRET", Rings.OldSecret);
        var epoch = cluster.Leader.Provider.Current.Epoch;

        // A half-written or useless file changes nothing, however long it stays.
        Write("b", "short");
        await LoggedAsync("b", 1103, 1);
        Assert.Contains("BASE_CLUSTER_SECRET_FILE (5 bytes) is shorter than 16 bytes", LastOf("b", 1103), StringComparison.Ordinal);

        string[] contents = [$"{Rings.OldSecret}\n{Rings.NewSecret}", $"{Rings.NewSecret}\n{Rings.OldSecret}", Rings.NewSecret];
        for (var step = 0; step < contents.Length; step++)
        {
            foreach (var id in _ids)
            {
                Write(id, contents[step]);
                await LoggedAsync(id, 1102, step + 1);
                Assert.Equal(epoch, cluster.Leader.Provider.Current.Epoch);
            }
        }

        Assert.EndsWith($"signs with {Rings.New.Signer} and accepts 1 keys.", LastOf("a", 1102), StringComparison.Ordinal);
        AssertNobodyWasRefused();
        AssertHidden(Rings.OldSecret, Rings.NewSecret, "short\n");

        // With the last key gone from every node the leadership rests on the new one alone.
        await Eventually.True(() => cluster.Nodes[0].Provider.Current.LeaseRemaining > TimeSpan.FromSeconds(2));
        Assert.Equal(epoch, cluster.Leader.Provider.Current.Epoch);
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task A_nodes_own_key_is_replaced_while_both_public_keys_are_known()
    {
        var known = string.Join(',', _ids.SelectMany(id => new[] { NodeKeys.EntryOf(id), NodeKeys.EntryOf($"{id}!").Replace("!", "", StringComparison.Ordinal) }));
        await using var cluster = await StartAsync("BASE_NODE_KEY", "", ("BASE_PEER_KEYS", known), ("BASE_CLUSTER_SECRET", ""));
        var epoch = cluster.Leader.Provider.Current.Epoch;

        Write("b", NodeKeys.PrivateOf("stranger"));
        await LoggedAsync("b", 1103, 1);
        Assert.Contains("BASE_PEER_KEYS (b) is not the public half of BASE_NODE_KEY", LastOf("b", 1103), StringComparison.Ordinal);

        foreach (var id in _ids)
        {
            Write(id, NodeKeys.PrivateOf($"{id}!"));
            await LoggedAsync(id, 1102, 1);
        }

        await Eventually.True(() => cluster.Nodes[0].Provider.Current.LeaseRemaining > TimeSpan.FromSeconds(2));
        Assert.Equal(("a", epoch), (cluster.Leader.Id, cluster.Leader.Provider.Current.Epoch));
        AssertNobodyWasRefused();
        AssertHidden(_ids.Select(id => NodeKeys.PrivateOf($"{id}!").Split('\n')[1][..40]).ToArray());
    }

    private async Task<KestrelCluster> StartAsync(string key, string content, params (string Key, string? Value)[] variables)
    {
        foreach (var id in _ids)
        {
            Write(id, content.Length == 0 ? NodeKeys.PrivateOf(id) : content);
        }

        var cluster = new KestrelCluster(_ids, [(key, ""), .. variables], builder => UseFiles(builder, key));
        await cluster.StartAsync();
        await cluster.HasLeaderAsync("a");
        return cluster;
    }

    private void UseFiles(WebApplicationBuilder builder, string key)
    {
        var id = builder.Configuration["BASE_NODE_ID"]!;
        builder.Configuration.AddInMemoryCollection([KeyValuePair.Create<string, string?>($"{key}_FILE", PathOf(id))]);
        builder.Services.AddSingleton<ILoggerFactory>(_logs[id]);
    }

    private Task LoggedAsync(string id, int eventId, int times) =>
        Eventually.True(() => _logs[id].Entries.Count(entry => entry.Id == eventId) == times);

    private string LastOf(string id, int eventId) => _logs[id].Entries.Last(entry => entry.Id == eventId).Text;

    private void AssertNobodyWasRefused() =>
        // A heartbeat that a busy machine cuts off half-way is malformed; it is not refused for its key.
        Assert.All(_logs, log => Assert.DoesNotContain(
            log.Value.Entries,
            entry => entry.Id is 1007 or 1008 || (entry.Id == 1100 && !entry.Text.Contains("malformed", StringComparison.Ordinal))));

    private void AssertHidden(params string[] secrets)
    {
        var text = string.Join('\n', _logs.SelectMany(log => log.Value.Entries).Select(entry => entry.Text));
        Assert.All(secrets, secret => Assert.DoesNotContain(secret, text, StringComparison.Ordinal));
    }

    private void Write(string id, string content) => File.WriteAllText(PathOf(id), content);

    private string PathOf(string id) => Path.Combine(_folder.FullName, id);
}
