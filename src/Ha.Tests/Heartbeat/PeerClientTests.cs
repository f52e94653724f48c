using Ha.Election;
using Ha.Heartbeat;
using Ha.Signing;
using Ha.Tests.Signing;

namespace Ha.Tests.Heartbeat;

public sealed class PeerClientTests : IDisposable
{
    private readonly HttpMessageHandler _handler = PeerHandler.Create(TimeSpan.FromSeconds(30));

    public void Dispose() => _handler.Dispose();

    [Theory]
    [InlineData(nameof(BeatStatus.Ok))]
    [InlineData(nameof(BeatStatus.Conflict))]
    [InlineData(nameof(BeatStatus.OtherCluster))]
    [InlineData(nameof(BeatStatus.NotMember))]
    [InlineData(nameof(BeatStatus.DuplicateId))]
    [InlineData(nameof(BeatStatus.ConfigMismatch))]
    public async Task A_signed_beat_gets_its_signed_reply_whatever_the_status(string name)
    {
        var status = Enum.Parse<BeatStatus>(name);
        await using var host = await HeartbeatHost.StartAsync(Rings.Old, beat => Beats.Reply(status, beat.Seq));

        var exchange = await SendAsync(host, Rings.Old);

        Assert.Equal(BeatExchange.Answered(Beats.Reply(status)), exchange);
        Assert.Equal(Beats.Request(), Assert.Single(host.Received));
    }

    internal async Task<BeatExchange> SendAsync(HeartbeatHost host, KeyRing keys, Beat? beat = null)
    {
        using var client = new PeerClient(_handler, keys);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        return await client.SendAsync(host.Url, beat ?? Beats.Request(), limit.Token);
    }
}
