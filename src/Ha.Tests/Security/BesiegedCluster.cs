using Ha.Election;
using Ha.Heartbeat;
using Ha.Leadership;
using Ha.Telemetry;
using Ha.Tests.Hosting;
using Ha.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Security;

/// <summary>
/// Three real nodes on loopback that outsiders may try as they like: afterwards they must be as they were. Shared, because
/// a cluster takes a lease to start.
/// </summary>
public sealed class BesiegedCluster : IAsyncLifetime, IAsyncDisposable
{
    internal const string Secret = "a-secret-for-the-tests-only";
    internal const string AdminToken = "a-token-for-the-tests-only";
    internal static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    // "The leader's URL leads here, or a client made up the mark": what an outsider may make a node say, once a minute.
    private const int MarkReport = 1203;
    private const int RefusedReport = 1100;

    private readonly KestrelCluster _cluster;
    private readonly Journal _journal = new();
    private readonly Wiretap _tap = new();

    public BesiegedCluster() => _cluster = new KestrelCluster(
        ["a", "b", "c"],
        [("BASE_CLUSTER_SECRET", Secret), ("BASE_ADMIN_TOKEN", AdminToken), ("BASE_LEASE_TIMEOUT", "2s")],
        builder =>
        {
            // As the templates do: the server's own line for each request is not what is counted here.
            builder.Logging.AddProvider(_journal).AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
            _tap.Attach(builder);
        });

    internal IReadOnlyList<KestrelCluster.Node> Nodes => _cluster.Nodes;

    internal KestrelCluster.Node Leader => _cluster.Leader;

    internal IReadOnlyList<CapturedBeat> Captured => _tap.Beats;

    /// <summary>Lines about refused heartbeats, since the start.</summary>
    internal int LogLines => _journal.Entries.Count(entry => entry.Id == RefusedReport);

    /// <summary>Beats of members that another one answered, with a signature.</summary>
    internal long BeatsAnswered => Nodes.Sum(node => Totals(node).HeartbeatsSent);

    /// <summary>Whatever nobody without a key may change, as each node sees it.</summary>
    internal string State => string.Join('\n', Nodes.Select(node =>
    {
        var view = Election(node).View();
        var members = view.Members.Select(m => $"{m.NodeId} {m.Target} {m.PublicTarget} {(m.IsLeader ? "leads" : "follows")} {m.ConfigMismatch}");
        return $"{node.Id}: {view.Leader.LeaderId} at {view.Leader.LeaderUrl} ({view.Leader.LeaderTarget}) in epoch {view.Leader.Epoch}; "
            + $"{string.Join(", ", members)}; {Totals(node).LeadershipChanges} changes, {Totals(node).Conflicts} conflicts";
    }));

    async Task IAsyncLifetime.InitializeAsync()
    {
        await _cluster.StartAsync();
        await _cluster.HasLeaderAsync("a");
        await Eventually.True(() => _tap.Done && Leader.Provider.Current.AdmitsWrites);
        await AllUpAsync();

        // The first lease is as short as a candidacy; one that followers see end on a busy machine is nobody's doing.
        await Eventually.True(() => Nodes.All(node => node.Provider.Current.LeaseRemaining > TimeSpan.FromSeconds(1)));
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        _journal.Dispose();
    }

    /// <summary>A beat of a member, so that its fields are right, with what somebody would like to be true.</summary>
    internal Beat Wish(Random random)
    {
        Assert.True(BeatJson.TryParse(Captured[random.Next(Captured.Count)].Body, out Beat? beat, out var reason), reason);
        var epoch = beat.From.MaxEpoch + random.Next(1, 1_000_000);
        return beat with
        {
            Seq = beat.Seq + 1_000_000 + random.Next(1_000_000),
            Op = (BeatOp)random.Next(Enum.GetValues<BeatOp>().Length),
            OpEpoch = epoch,
            From = beat.From with
            {
                Role = NodeRole.Leader,
                Epoch = epoch,
                MaxEpoch = epoch,
                LeaseRemainingMicros = 1_000_000,
                PublicTarget = "http://127.0.0.1:9",
                Target = random.Next(2) == 0 ? beat.From.Target : "http://127.0.0.1:9",
                Successor = random.Next(2) == 0 ? null : "evil",
            },
        };
    }

    /// <summary>The members still hear each other, everything is as before, and nothing broke inside a node.</summary>
    internal async Task AssertUnmovedAsync(string before)
    {
        Assert.Equal(before, State);
        var answered = BeatsAnswered;
        await Eventually.True(() => BeatsAnswered >= answered + 2 * Nodes.Count);
        await AllUpAsync();
        Assert.Equal(before, State);
        Assert.DoesNotContain(_journal.Entries, entry => entry.Level >= LogLevel.Error && entry.Id != MarkReport);
    }

    private Task AllUpAsync() => Eventually.True(() => Nodes.All(node => Election(node).View().Members.All(member => member.Up)));

    private static ElectionRunner Election(KestrelCluster.Node node) => ((LuxLeader)node.App.Services.GetRequiredService<ILeaderProvider>()).Election;

    private static HaCounters Totals(KestrelCluster.Node node) => node.App.Services.GetRequiredService<ElectionTelemetry>().Metrics.Totals;
}

/// <summary>Alone: what is measured is this process's memory.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class SiegeTests : ICollectionFixture<BesiegedCluster>
{
    public const string Name = "siege";
}
