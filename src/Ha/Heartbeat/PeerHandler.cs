using System.Net;
using System.Net.Security;
using Ha.Http;
using Ha.Security;
using Ha.Telemetry;

namespace Ha.Heartbeat;

/// <summary>The connections that heartbeats travel on.</summary>
internal static class PeerHandler
{
    // Events may add a few exchanges to the one per interval; more than this is a fault.
    private const int MaxConnectionsPerPeer = 8;
    private const int MaxReplyHeaderKilobytes = 16;

    /// <param name="connectTimeout">
    /// For name resolution, TCP and TLS together. At most the lease timeout, or a vanished host holds connections back
    /// that could reach its successor.
    /// </param>
    /// <param name="tls">How to check and authenticate.</param>
    /// <param name="addresses">Where the members are.</param>
    public static HttpMessageHandler Create(TimeSpan connectTimeout, NodeTls tls, MemberAddresses addresses) =>
        new HandlerPerHost(addresses.VersionOf, () => tls.CreateHandler(options => Create(connectTimeout, options, addresses)));

    /// <param name="connectTimeout">As above.</param>
    /// <param name="tls">As above; null: as the machine trusts.</param>
    /// <param name="addresses">As above; null: each connection looks for itself.</param>
    public static SocketsHttpHandler Create(
        TimeSpan connectTimeout,
        SslClientAuthenticationOptions? tls = null,
        MemberAddresses? addresses = null)
    {
        var handler = new SocketsHttpHandler
        {
            SslOptions = tls ?? new SslClientAuthenticationOptions(),
            ConnectTimeout = connectTimeout,
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            MaxConnectionsPerServer = MaxConnectionsPerPeer,
            MaxResponseHeadersLength = MaxReplyHeaderKilobytes,

            // Idle ones outlive any interval.
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),

            // Of a peer that takes HTTP/2 only (see PeerClient): a connection to a host that vanished ends soon after.
            KeepAlivePingDelay = TimeSpan.FromSeconds(1),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(1),

            // A heartbeat is no part of any request's trace, and no call of the application.
            ActivityHeadersPropagator = null,
            MeterFactory = UnheardMeters.Instance,
        };
        return addresses is null
            ? new AddressRace().UseIn(handler)
            : AddressRace.Use((target, timeout, cancellation) => addresses.ConnectAsync(target, timeout, forRequests: false, cancellation), handler);
    }
}
