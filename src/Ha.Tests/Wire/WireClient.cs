using System.Net;
using System.Net.Sockets;

namespace Ha.Tests.OnTheWire;

/// <summary>One client on at most one connection at a time, which it counts.</summary>
internal sealed class WireClient : IDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(15);
    private readonly Dialect _dialect;
    private readonly HttpClient _http;
    private int _connections;

    public WireClient(Dialect dialect, string url)
    {
        _dialect = dialect;
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            MaxConnectionsPerServer = 1,
            ConnectCallback = ConnectAsync,
        })
        {
            BaseAddress = new Uri(url),
            Timeout = _patience,
        };
    }

    /// <summary>Connections made so far.</summary>
    public int Connections => Volatile.Read(ref _connections);

    public static bool KeepsConnection(Dialect dialect) => dialect is Dialect.KeepAlive or Dialect.Http2;

    /// <summary>The answer with its whole body, or what an HTTP client throws when it was not whole.</summary>
    public Task<HttpResponseMessage> AskAsync(HttpMethod method, string path, byte[]? body = null, bool chunked = false) =>
        AskAsync(method, path, body, chunked, HttpCompletionOption.ResponseContentRead);

    /// <summary>The answer as soon as its headers are here.</summary>
    public Task<HttpResponseMessage> BeginAsync(string path) =>
        AskAsync(HttpMethod.Post, path, [], chunked: false, HttpCompletionOption.ResponseHeadersRead);

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> AskAsync(
        HttpMethod method, string path, byte[]? body, bool chunked, HttpCompletionOption completion)
    {
        using var request = new HttpRequestMessage(method, path)
        {
            Version = _dialect switch
            {
                Dialect.Http10 => HttpVersion.Version10,
                Dialect.Http2 => HttpVersion.Version20,
                _ => HttpVersion.Version11,
            },
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = body is null ? null : new ByteArrayContent(body),
        };
        request.Headers.ConnectionClose = _dialect == Dialect.Close ? true : null;
        request.Headers.TransferEncodingChunked = chunked ? true : null;
        return await _http.SendAsync(request, completion);
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        Interlocked.Increment(ref _connections);
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
