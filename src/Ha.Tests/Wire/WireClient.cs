using System.Net;
using System.Net.Sockets;

namespace Ha.Tests.OnTheWire;

/// <summary>One client, by default on at most one connection at a time; it counts them.</summary>
internal sealed class WireClient : IDisposable
{
    private readonly Dialect _dialect;
    private readonly HttpClient _http;
    private int _connections;

    /// <param name="dialect">What it speaks.</param>
    /// <param name="url">Whom it asks.</param>
    /// <param name="atOnce">How many connections it may have.</param>
    /// <param name="patience">How long it waits for a whole answer; 15 s if not given.</param>
    public WireClient(Dialect dialect, string url, int atOnce = 1, TimeSpan? patience = null)
    {
        _dialect = dialect;
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            ResponseDrainTimeout = TimeSpan.Zero,
            MaxConnectionsPerServer = atOnce,
            ConnectCallback = ConnectAsync,
        })
        {
            BaseAddress = new Uri(url),
            Timeout = patience ?? TimeSpan.FromSeconds(15),
        };
    }

    /// <summary>Connections made so far.</summary>
    public int Connections => Volatile.Read(ref _connections);

    public static bool KeepsConnection(Dialect dialect) => dialect is Dialect.KeepAlive or Dialect.Http2;

    /// <summary>The answer with its whole body, or what an HTTP client throws when it was not whole.</summary>
    public Task<HttpResponseMessage> AskAsync(HttpMethod method, string path, byte[]? body = null, bool chunked = false) =>
        SendAsync(new HttpRequestMessage(method, path) { Content = body is null ? null : new ByteArrayContent(body) }, chunked);

    /// <summary>The same for a request that somebody else made; it is disposed.</summary>
    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, bool chunked) =>
        SendAsync(request, chunked, HttpCompletionOption.ResponseContentRead);

    /// <summary>The answer as soon as its headers are here.</summary>
    public Task<HttpResponseMessage> BeginAsync(HttpMethod method, string path) =>
        SendAsync(new HttpRequestMessage(method, path), chunked: false, HttpCompletionOption.ResponseHeadersRead);

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, bool chunked, HttpCompletionOption completion)
    {
        using (request)
        {
            request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
            request.Version = _dialect switch
            {
                Dialect.Http10 => HttpVersion.Version10,
                Dialect.Http2 => HttpVersion.Version20,
                _ => HttpVersion.Version11,
            };
            request.Headers.ConnectionClose = _dialect == Dialect.Close ? true : null;
            request.Headers.TransferEncodingChunked = chunked ? true : null;

            // With none at all the handler would repeat it by itself when the connection ends.
            request.Content ??= request.Method == HttpMethod.Post ? new ByteArrayContent([]) : null;
            return await _http.SendAsync(request, completion);
        }
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
