using Ha.Heartbeat;
using Ha.Leadership;
using Ha.Security;

namespace Ha.Tests.Heartbeat;

internal static class Exchanges
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    /// <summary>One heartbeat of a client with these keys.</summary>
    public static async Task<BeatExchange> SendAsync(HeartbeatHost host, KeyRing keys)
    {
        using var handler = PeerHandler.Create(_patience);
        using var client = new PeerClient(handler, new KeySource(keys));
        using var limit = new CancellationTokenSource(_patience);
        return await client.SendAsync(host.Url, Beats.Request(), limit.Token);
    }
}
