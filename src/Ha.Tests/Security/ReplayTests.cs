using Ha.Configuration;
using Ha.Security;
using Ha.Telemetry;
using Ha.Tests.Client;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Xunit.Abstractions;

namespace Ha.Tests.Security;

/// <summary>
/// Somebody who has recorded everything that a real cluster said, through elections, handoffs, crashes and restarts,
/// says it again. Over real sockets.
/// </summary>
public sealed class ReplayTests(ITestOutputHelper output)
{
    private static readonly string[] _ids = ["a", "b", "c"];
    private readonly StoppableClock _clock = new();
    private readonly Tape _tape = new();

    [Fact]
    public async Task What_a_cluster_once_said_changes_nothing_when_it_is_said_again()
    {
        await using var cluster = new RestartableCluster(_ => { }, Build);
        await LiveThroughAsync(cluster);
        await RequestsAtAnyNodeInAnyOrderChangeNothingAsync(cluster);
        var leader = await RequestsKeepNoDeadLeaderAliveAsync(cluster);
        await RepliesRenewNoLeaseAsync(cluster, leader);
    }

    private void Build(string id, WebApplicationBuilder builder)
    {
        builder.Configuration["BASE_LEASE_TIMEOUT"] = "500ms";

        // Leadership that went back by itself would look like the replay's doing.
        builder.Configuration["BASE_PREEMPT"] = "never";
        builder.Services.AddSingleton<ILeaderProvider>(services => new LuxLeader(
            services.GetRequiredService<HaSettings>(), handler: null, _clock,
            services.GetRequiredService<ElectionTelemetry>(), services.GetRequiredService<NodeTls>()));
        _tape.Attach(id, builder);
    }

    /// <summary>Elections, a handoff, a crash and restarts, so that the tape has every kind of message.</summary>
    private static async Task LiveThroughAsync(RestartableCluster cluster)
    {
        await cluster.StartAsync();
        await Eventually.True(() => LeaderOf(cluster) is { } at && cluster.NodeAt(at)!.Election.StepDown(null).Result == HandoffResult.Accepted);
        await cluster.SettledAsync();
        var second = await NextLeaderAsync(cluster);
        await cluster.KillAsync(second);
        await NextLeaderAsync(cluster);
        await cluster.StartAsync(second);
    }

    /// <summary>With time at a halt nothing moves by itself, and no answer of the living covers what a replay did.</summary>
    private async Task RequestsAtAnyNodeInAnyOrderChangeNothingAsync(RestartableCluster cluster)
    {
        await Eventually.True(() => HasStopped(cluster));
        var recorded = _tape.Exchanges;
        var before = State(cluster);
        using var client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 8 });
        var answers = new List<int>();
        foreach (var target in cluster.Urls)
        {
            foreach (var order in new[] { recorded, [.. recorded.Reverse()] })
            {
                answers.AddRange(await Task.WhenAll(order.Select(exchange => exchange.Request.SendAsync(client, target))));
                Assert.Equal(before, State(cluster));
            }
        }

        output.WriteLine($"{recorded.Count} recorded, {answers.Count} sent again; statuses then: {Histogram(recorded.Select(e => e.Status))}; now: {Histogram(answers)}");
        Assert.Equal([200, 409], recorded.Select(e => e.Status).Distinct().Order());

        // Each is too late or for somebody else now; 403 where it went back to its own sender.
        Assert.All(answers, status => Assert.True(status is 409 or 403));
        _clock.Go();
    }

    private async Task<LuxLeader> RequestsKeepNoDeadLeaderAliveAsync(RestartableCluster cluster)
    {
        var recorded = _tape.Exchanges;
        var dead = await NextLeaderAsync(cluster);
        var epoch = cluster.NodeAt(dead)!.Current.Epoch;
        await cluster.KillAsync(dead);
        using var client = new HttpClient();
        using var stop = new CancellationTokenSource();
        var replaying = Enumerable.Range(0, _ids.Length).Where(i => i != dead).Select(i => RepeatAsync(client, recorded, cluster.Urls[i], stop.Token)).ToArray();

        var next = cluster.NodeAt(await NextLeaderAsync(cluster))!;
        await stop.CancelAsync();
        await Task.WhenAll(replaying);

        Assert.True(next.Current.Epoch > epoch);
        return next;
    }

    private async Task RepliesRenewNoLeaseAsync(RestartableCluster cluster, LuxLeader leader)
    {
        var others = Enumerable.Range(0, _ids.Length).Where(i => cluster.NodeAt(i) != leader).ToArray();
        await Task.WhenAll(others.Where(i => cluster.NodeAt(i) is not null).Select(cluster.KillAsync));
        await using var first = await RepeaterAsync(cluster, others[0]);
        await using var second = await RepeaterAsync(cluster, others[1]);

        await Eventually.True(() => leader is { IsLeader: false, Current.LeaderId: null });
        var (heard, heardToo) = (first.Requests, second.Requests);
        await Eventually.True(() => first.Requests > heard + 3 && second.Requests > heardToo + 3);

        Assert.False(leader.IsLeader);
        Assert.All(leader.Election.View().Members.Where(member => !member.IsSelf), member => Assert.False(member.Up));
    }

    private static int? LeaderOf(RestartableCluster cluster) => cluster.LeaderIndex is >= 0 and var at ? at : null;

    private static async Task<int> NextLeaderAsync(RestartableCluster cluster)
    {
        int? leader = null;
        await Eventually.True(() => (leader = LeaderOf(cluster)) is not null);
        return leader!.Value;
    }

    /// <summary>Stops the clock for good once everybody is up, votes, and agrees on who leads.</summary>
    private bool HasStopped(RestartableCluster cluster)
    {
        _clock.Stop();
        var nodes = _ids.Select((_, i) => cluster.NodeAt(i)!).ToArray();
        var settled = cluster.LeaderIndex >= 0
            && nodes.All(node => node is { Current: { LeaderId: not null, Quarantined: false } } && node.Election.View().Members.All(member => member.Up && member.IsLeader == (member.Role == "leader")))
            && nodes.Select(node => node.Current.LeaderId).Distinct().Count() == 1;
        if (!settled)
        {
            _clock.Go();
        }

        return settled;
    }

    /// <summary>Leader, epoch and targets as each node sees them.</summary>
    private static string State(RestartableCluster cluster) => string.Join('\n', _ids.Select((id, i) =>
    {
        var node = cluster.NodeAt(i)!;
        var current = node.Current;
        var members = node.Election.View().Members.Select(member => $"{member.NodeId} {member.Target} {member.PublicTarget} {member.Role} {member.Up} {member.ConfigMismatch}");
        return $"{id}: {current.LeaderId} {current.Epoch} {current.LeaderTarget} {current.LeaderUrl} {current.LeadsSelf} [{string.Join(", ", members)}]";
    }));

    /// <summary>Answers with what the member once said, in turn and again and again.</summary>
    private Task<Impostor> RepeaterAsync(RestartableCluster cluster, int index)
    {
        var said = _tape.Exchanges.Where(exchange => exchange.To == _ids[index]).ToArray();
        return Impostor.StartAsync(cluster.TakePlaceOf(index), (context, n) => said[n % said.Length].Reply.AnswerAsync(context, said[n % said.Length].Status));
    }

    private static string Histogram(IEnumerable<int> statuses) =>
        string.Join(", ", statuses.GroupBy(status => status).OrderBy(group => group.Key).Select(group => $"{group.Key}: {group.Count()}"));

    private static async Task RepeatAsync(HttpClient client, IReadOnlyList<RecordedExchange> recorded, string url, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            foreach (var exchange in recorded)
            {
                await exchange.Request.SendAsync(client, url);
            }
        }
    }
}
