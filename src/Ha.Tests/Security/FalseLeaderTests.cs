using System.Net;
using Ha.Election;
using Ha.Heartbeat;
using Ha.Security;
using Ha.Tests.Client;
using Ha.Tests.Forwarding;
using Ha.Tests.Heartbeat;
using Ha.Tests.Security.Signing;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Security;

/// <summary>
/// Somebody at the address of a member says who leads, in requests and in answers. A real node sends no client and no
/// credential there, unless a member has signed it and it is the address of a member.
/// </summary>
public sealed class FalseLeaderTests : IAsyncLifetime, IDisposable
{
    private const long Epoch = 1_763_700_000_000_000;
    private const string Route = "/_ha/heartbeat";
    private readonly RestartableCluster _cluster = new(_ => { }, (_, builder) =>
    {
        builder.Configuration["BASE_HEARTBEAT_INTERVAL"] = "50ms";
        builder.Configuration["BASE_WRITE_HOLD"] = "0";
        builder.Configuration["BASE_FORWARD_OVERRIDE"] = "true";
    });

    private readonly RawLeader _stranger = new((connection, _) => connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    private readonly HttpClient _client = TestNode.Client();
    private readonly HttpMessageHandler _handler = PeerHandler.Create(TimeSpan.FromSeconds(30));
    private readonly TaskCompletionSource<NodeFacts> _node = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Lie _lie = new("silence", Rings.Of(RestartableCluster.Secret), facts => facts);
    private int _forwarded;
    private Impostor _impostor = null!;

    private string Node => _cluster.Urls[0];

    private string Member => _cluster.Urls[1];

    public async Task InitializeAsync()
    {
        _impostor = await Impostor.StartAsync(_cluster.TakePlaceOf(1), AnswerAsync);
        await _cluster.StartAsync(0);
    }

    public async Task DisposeAsync()
    {
        await _cluster.DisposeAsync();
        await _impostor.DisposeAsync();
        await _stranger.DisposeAsync();
    }

    public void Dispose()
    {
        _client.Dispose();
        _handler.Dispose();
    }

    [Fact]
    public async Task Nobody_is_sent_where_no_member_has_signed_that_a_member_leads()
    {
        var member = Rings.Of(RestartableCluster.Secret);

        // The first signs, the second lets it read what it is asked.
        var outsider = Rings.Of(Rings.OldSecret, RestartableCluster.Secret);
        Lie[] lies =
        [
            new("unsigned", Rings.Unsigned, Leads),
            new("signed by an outsider", outsider, Leads),
            new("an outsider leads at another address", outsider, facts => Leads(facts) with { Target = _stranger.Url, PublicTarget = _stranger.Url }),
            new("a member leads at another address", member, facts => Leads(facts) with { Target = _stranger.Url, PublicTarget = _stranger.Url }),
            new("a member says that a stranger leads", member, facts => facts with { Hint = new LeaderHint(_stranger.Url, Epoch) }),
        ];
        foreach (var lie in lies)
        {
            await TellAsync(lie);

            foreach (var mode in new[] { "redirect", "proxy" })
            {
                using var answer = await WriteAsync(mode);
                Assert.True(answer is { StatusCode: HttpStatusCode.ServiceUnavailable, Headers.Location: null }, $"{lie.Text}, {mode}: {answer}");
            }

            Assert.Contains("\"leader_url\":\"\"", await _client.GetStringAsync(Node + "/_ha/leader"), StringComparison.Ordinal);
            Assert.Equal((0, 0), (_stranger.Requests, _forwarded));
        }

        await TellAsync(new("a member says that it leads", member, facts => facts with { Hint = new LeaderHint(Member, Epoch) }));
        await Eventually.True(async () =>
        {
            using var answer = await WriteAsync("redirect");
            return answer.Headers.Location?.OriginalString == Member + "/x";
        });
        await Eventually.True(async () =>
        {
            using var answer = await WriteAsync("proxy");
            return answer.IsSuccessStatusCode && _forwarded > 0;
        });
    }

    private static NodeFacts Leads(NodeFacts facts) => facts with { Role = NodeRole.Leader, Epoch = Epoch, LeaseRemainingMicros = 10_000_000 };

    /// <summary>Says it in a request and in some answers, so that at least one of these was heard to its end.</summary>
    private async Task TellAsync(Lie lie)
    {
        Volatile.Write(ref _lie, lie);
        var facts = lie.Make(Self(await _node.Task));
        using var client = new PeerClient(_handler, new KeySource(lie.Keys));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var beat = Beats.Request(seq: 1) with { From = facts, ToIncarnation = (await _node.Task).Incarnation, Op = BeatOp.None, OpEpoch = 0, OpDurationMicros = 0 };
        var first = await client.SendAsync(Node, beat, limit.Token);
        await client.SendAsync(Node, beat with { Nonce = first.Reply?.Nonce ?? default, Seq = 2 }, limit.Token);
        var heard = _impostor.Requests;
        await Eventually.True(() => _impostor.Requests > heard + 2);
    }

    private async Task<HttpResponseMessage> WriteAsync(string mode)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Node + "/x") { Content = new StringContent("x") };
        request.Headers.Add("X-Base-Forward", mode);
        request.Headers.Add("Authorization", "Bearer of-a-user");
        return await _client.SendAsync(request);
    }

    private async Task AnswerAsync(HttpContext context, int number)
    {
        if (context.Request.Path != Route)
        {
            Interlocked.Increment(ref _forwarded);
            return;
        }

        var lie = Volatile.Read(ref _lie);
        await new HeartbeatEndpoint(new KeySource(lie.Keys), beat => Reply(beat, lie), TimeProvider.System).HandleAsync(context);
    }

    private BeatReply Reply(Beat beat, Lie lie)
    {
        _node.TrySetResult(beat.From);
        return Beats.Reply(seq: beat.Seq) with { From = lie.Make(Self(beat.From)), ToIncarnation = beat.From.Incarnation, Granted = false, OpEpoch = beat.OpEpoch, EpochFloor = 0 };
    }

    /// <summary>What an honest member would say of itself, which has the same settings as the node that asks.</summary>
    private NodeFacts Self(NodeFacts node) =>
        node with { Id = "b", Incarnation = Beats.Inc, Target = Member, PublicTarget = Member, Role = NodeRole.Follower, Grant = null, Hint = null, Successor = null };

    private sealed record Lie(string Text, KeyRing Keys, Func<NodeFacts, NodeFacts> Make);
}
