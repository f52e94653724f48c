using System.Net;
using Ha.Heartbeat;
using Ha.Leadership;
using Ha.Security;
using Ha.Tests.Security.Signing;
using static Ha.Tests.Heartbeat.Exchanges;

namespace Ha.Tests.Heartbeat;

/// <summary>What a node that elects hears from one with a fixed leader, over a real socket.</summary>
public class FixedLeaderEndpointTests
{
    [Fact]
    public async Task A_refusal_by_a_node_with_the_same_key_is_verified()
    {
        var exchange = await MeetAsync(Rings.Old, Rings.Old);
        Assert.Equal((ExchangeFailure.FixedLeader, true, "fixed_leader"), (exchange.Failure, exchange.Verified, exchange.Reason));
        Assert.Contains("BASE_STATIC_LEADER", exchange.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_without_a_key_or_with_another_one_is_not()
    {
        var keyless = await MeetAsync(new KeyRing([]), Rings.Old);
        Assert.Equal((ExchangeFailure.FixedLeader, false), (keyless.Failure, keyless.Verified));
        var foreign = await MeetAsync(Rings.New, Rings.Old);
        Assert.Equal((ExchangeFailure.FixedLeader, false), (foreign.Failure, foreign.Verified));
        var publicHalves = await MeetAsync(NodeKeys.Ring(null, ["node-1"]), NodeKeys.Ring("node-1", ["node-1"]));
        Assert.Equal((ExchangeFailure.FixedLeader, false), (publicHalves.Failure, publicHalves.Verified));
    }

    [Fact]
    public async Task Without_signatures_all_is_believed()
    {
        var exchange = await MeetAsync(Rings.Unsigned, Rings.Unsigned);
        Assert.Equal((ExchangeFailure.FixedLeader, true), (exchange.Failure, exchange.Verified));
    }

    [Fact]
    public async Task Nothing_is_signed_for_a_caller_without_a_key()
    {
        await using var host = await HostAsync(Rings.Old);
        using var client = new HttpClient();
        using var answer = await client.PostAsync(new Uri(host.Url + HeartbeatSignature.Path), new StringContent("{}"));
        Assert.Equal(HttpStatusCode.PreconditionFailed, answer.StatusCode);
        Assert.False(answer.Headers.Contains(SignatureHeaders.SignatureName));
    }

    [Fact]
    public async Task One_of_another_cluster_with_the_same_key_concerns_nobody()
    {
        await using var host = await HostAsync(Rings.Old, "staging");
        Assert.Equal(ExchangeFailure.Malformed, (await SendAsync(host, Rings.Old)).Failure);
    }

    private static async Task<BeatExchange> MeetAsync(KeyRing theirs, KeyRing ours)
    {
        await using var host = await HostAsync(theirs);
        return await SendAsync(host, ours);
    }

    private static Task<HeartbeatHost> HostAsync(KeyRing keys, string cluster = "default")
    {
        var endpoint = new FixedLeaderEndpoint(cluster, keys, TimeProvider.System, static () => { });
        return HeartbeatHost.StartAsync(keys, meddle: (context, _) => endpoint.HandleAsync(context));
    }
}
