using System.Text;

namespace Ha.Client.Routing;

/// <summary>
/// Whether any byte of an attempt may have left. It hangs on <see cref="SocketsHttpHandler.RequestHeaderEncodingSelector"/>,
/// the one place that is called each time the headers of a request are written: without that call nothing was sent,
/// whatever the exception says. One attempt's own; its calls follow one another.
/// </summary>
internal sealed class SentMark
{
    public static readonly HeaderEncodingSelector<HttpRequestMessage> Selector = Select;

    private static readonly HttpRequestOptionsKey<SentMark> _key = new("Ha.Client.SentMark");

    private volatile bool _sent;
    private bool _expects;

    public bool Sent => _sent;

    /// <summary>False for a request without any header, of which the selector never hears.</summary>
    public bool Tells { get; private set; }

    public void Attach(HttpRequestMessage attempt)
    {
        attempt.Options.Set(_key, this);

        // Asking for the length puts it among the headers, where it is going to be anyway.
        Tells = attempt.Headers.NonValidated.Count > 0 || attempt.Content?.Headers is { ContentLength: not null } or { NonValidated.Count: > 0 };
    }

    private static Encoding? Select(string header, HttpRequestMessage request)
    {
        if (!request.Options.TryGetValue(_key, out var mark))
        {
            return null;
        }

        mark._sent = true;
        if (header.Equals("Expect", StringComparison.OrdinalIgnoreCase))
        {
            // While 100 is awaited, SocketsHttpHandler takes a connection that closes for one on which nothing was
            // executed and sends the request again, up to three times; but a handler may work without reading the body.
            if (mark._expects)
            {
                throw new IOException("The connection closed before an answer came.");
            }

            mark._expects = true;
        }

        return null;
    }
}
