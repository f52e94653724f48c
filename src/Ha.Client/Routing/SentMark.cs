using System.Text;

namespace Ha.Client.Routing;

/// <summary>
/// Whether any byte of an attempt may have left, and whether the transport may send it again by itself. It hangs on
/// <see cref="SocketsHttpHandler.RequestHeaderEncodingSelector"/>, the one place that is called each time the headers of
/// a request are written, before they leave: without that call nothing was sent, whatever the exception says. One
/// attempt's own; its calls follow one another.
/// </summary>
internal sealed class SentMark
{
    private static readonly HeaderEncodingSelector<HttpRequestMessage> _selector = new Chain(null).Select;
    private static readonly HttpRequestOptionsKey<SentMark> _key = new("Ha.Client.SentMark");

    private volatile bool _sent;
    private volatile bool _unprocessed;
    private RequestBody? _body;
    private Version? _version;
    private string? _firstHeader;
    private string _credentials = "";

    public bool Sent => _sent;

    /// <summary>
    /// True: the peer declared all that was sent unprocessed (RFC 9113 section 8.7), and the transport was kept from
    /// sending it again.
    /// </summary>
    public bool Unprocessed => _unprocessed;

    /// <summary>False for a request without any header, of which the selector never hears.</summary>
    public bool Tells { get; private set; }

    /// <summary>Puts the mark into a handler, around a selector that is there.</summary>
    /// <returns>False when the handler is in use already and cannot be changed.</returns>
    public static bool TryInstall(SocketsHttpHandler handler)
    {
        if (handler.RequestHeaderEncodingSelector is not { Target: Chain })
        {
            try
            {
                handler.RequestHeaderEncodingSelector = handler.RequestHeaderEncodingSelector is { } own ? new Chain(own).Select : _selector;
            }
            catch (InvalidOperationException)
            {
                return false;
            }
        }

        return true;
    }

    public void Attach(HttpRequestMessage attempt, RequestBody body)
    {
        attempt.Options.Set(_key, this);
        (_body, _version, _credentials) = (body, attempt.Version, Credentials(attempt));

        // Asking for the length puts it among the headers, where it is going to be anyway.
        Tells = attempt.Headers.NonValidated.Count > 0 || attempt.Content?.Headers is { ContentLength: not null } or { NonValidated.Count: > 0 };
    }

    private void Hear(string header, HttpRequestMessage request)
    {
        if (_firstHeader is null)
        {
            _firstHeader = header;
        }
        else if (header == _firstHeader)
        {
            CheckNextCopy(request);
        }

        _sent = true;
    }

    private void CheckNextCopy(HttpRequestMessage request)
    {
        // The handler answers a 401 or 407 with credentials of its own: the last copy was answered, not lost.
        var before = _credentials;
        _credentials = Credentials(request);
        var answered = before != _credentials;
        if (_body!.IsSpent)
        {
            // Once the body has begun, SocketsHttpHandler repeats by itself only what the peer declared unprocessed.
            // What it would read now is the rest.
            _unprocessed = !answered && request.Version == _version;
            throw new IOException("The peer did not take the request, and its body cannot be sent again.");
        }

        // While 100 is awaited, it takes a connection that closes for one on which nothing was executed and sends the
        // request again, up to three times; but a handler may work without reading the body. Over HTTP/2 it does not.
        if (!answered && request.Headers.ExpectContinue == true && !IsHttp2Only(request))
        {
            throw new IOException("The connection closed before an answer came.");
        }
    }

    private static bool IsHttp2Only(HttpRequestMessage request) =>
        request.Version.Major >= 2 && request.VersionPolicy != HttpVersionPolicy.RequestVersionOrLower;

    private static string Credentials(HttpRequestMessage request) =>
        $"{request.Headers.Authorization} {request.Headers.ProxyAuthorization}";

    /// <summary>The selector, around one of the app's.</summary>
    private sealed class Chain(HeaderEncodingSelector<HttpRequestMessage>? own)
    {
        public Encoding? Select(string header, HttpRequestMessage request)
        {
            if (request.Options.TryGetValue(_key, out var mark))
            {
                mark.Hear(header, request);
            }

            return own?.Invoke(header, request);
        }
    }
}
