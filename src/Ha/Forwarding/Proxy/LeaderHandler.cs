using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Ha.Http;

namespace Ha.Forwarding.Proxy;

/// <summary>Makes the handlers that connect to the leader.</summary>
internal static class LeaderHandler
{
    private static readonly TimeSpan _leastConnectTimeout = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan _mostConnectTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _leastContinueTimeout = TimeSpan.FromSeconds(1);

    // Kestrel limits the headers of requests, not those of answers: what passes directly passes through a follower too.
    private static readonly int _maxAnswerHeaderKilobytes = 4 * 1024;

    /// <param name="lease">A leader that takes longer to connect to is as good as dead.</param>
    /// <param name="encodings">How header values are written and read.</param>
    /// <param name="tls">
    /// How to check and authenticate; null: clear text. The name to check and send comes from the URL, not from the
    /// <c>Host</c> header, which is the client's and which the handler itself would take.
    /// </param>
    /// <param name="addresses">Where the members are.</param>
    public static SocketsHttpHandler Create(
        TimeSpan lease,
        HeaderEncodings encodings,
        SslClientAuthenticationOptions? tls,
        MemberAddresses addresses)
    {
        var connectTimeout = Clamp(lease, _leastConnectTimeout, _mostConnectTimeout);
        return new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            UseProxy = false,
            EnableMultipleHttp2Connections = true,
            MaxResponseHeadersLength = _maxAnswerHeaderKilobytes,

            // The handler would start a span of its own, which nobody records without instrumentation of HttpClient,
            // and the leader's span would name that one as its parent; see ForwardHeaders.
            ActivityHeadersPropagator = null,

            // A paused leader that comes back as a follower still finds the body unread, and refuses provably. One
            // that reads the body says "continue" at once, so nobody waits for this.
            Expect100ContinueTimeout = 2 * lease > _leastContinueTimeout ? 2 * lease : _leastContinueTimeout,

            // Runs for every header that is written, which is the one place that tells when a request leaves.
            RequestHeaderEncodingSelector = (name, request) =>
            {
                (request as ForwardMessage)?.OnHeaderWritten(name);
                return encodings.Request(name);
            },
            ResponseHeaderEncodingSelector = (name, _) => encodings.Answer(name),
            ConnectCallback = (connection, cancellation) => ConnectAsync(addresses, connection, connectTimeout, tls, cancellation),
        };
    }

    private static async ValueTask<Stream> ConnectAsync(
        MemberAddresses addresses,
        SocketsHttpConnectionContext connection,
        TimeSpan timeout,
        SslClientAuthenticationOptions? tls,
        CancellationToken cancellation)
    {
        var leader = connection.DnsEndPoint;
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limited.CancelAfter(timeout);
        var socket = await addresses.ConnectAsync(leader, timeout, forRequests: true, cancellation);
        try
        {
            // Finds out about a host that vanished while an answer was being waited for, within about ten seconds.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, optionValue: true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 5);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 2);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
            var stream = new NetworkStream(socket, ownsSocket: true);
            var protocol = connection.InitialRequestMessage.Version.Major >= 2 ? SslApplicationProtocol.Http2 : SslApplicationProtocol.Http11;
            return tls is null ? stream : await SecureAsync(stream, leader.Host, protocol, tls, limited.Token);
        }
        catch (Exception failure)
        {
            socket.Dispose();
            if (failure is OperationCanceledException && !cancellation.IsCancellationRequested)
            {
                throw new IOException($"Connecting took longer than {timeout.TotalMilliseconds} ms.", failure);
            }

            throw;
        }
    }

    // Of HTTP/2 the handler asks for TLS, and takes this for its own.
    private static async ValueTask<Stream> SecureAsync(
        NetworkStream stream, string host, SslApplicationProtocol protocol, SslClientAuthenticationOptions tls, CancellationToken cancellation)
    {
        var secure = new SslStream(stream);
        try
        {
            await secure.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = host,
                    ClientCertificates = tls.ClientCertificates,
                    ClientCertificateContext = tls.ClientCertificateContext,
                    CertificateChainPolicy = tls.CertificateChainPolicy,
                    CertificateRevocationCheckMode = tls.CertificateRevocationCheckMode,
                    RemoteCertificateValidationCallback = tls.RemoteCertificateValidationCallback,
                    EnabledSslProtocols = tls.EnabledSslProtocols,
                    ApplicationProtocols = [protocol],
                },
                cancellation);
            return secure;
        }
        catch
        {
            await secure.DisposeAsync();
            throw;
        }
    }

    private static TimeSpan Clamp(TimeSpan value, TimeSpan least, TimeSpan most) =>
        value < least ? least : value > most ? most : value;
}
