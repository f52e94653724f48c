using System.Collections.Concurrent;
using System.Net;

namespace Ha.Http;

/// <summary>
/// The members whose listeners turned out to take HTTP/2 only, without TLS, as those of the gRPC template do: they are spoken to so,
/// without negotiation. Thread-safe.
/// </summary>
internal sealed class Http2OnlyPeers
{
    // Kestrel's, to the first line of a request over HTTP/1.1, of which it reads no more.
    private const string Refusal = "An HTTP/1.x request was sent to an HTTP/2 only endpoint.";

    private readonly ConcurrentDictionary<string, bool> _urls = new(StringComparer.Ordinal);

    public bool Contains(string url) => _urls.ContainsKey(url);

    /// <returns>True: it was one.</returns>
    public bool Forget(string url) => _urls.TryRemove(url, out _);

    /// <returns>True: the listener refused HTTP/1.1, so nothing was executed, and the next attempt takes HTTP/2.</returns>
    public async ValueTask<bool> AddIfRefusedAsync(string url, HttpResponseMessage answer, CancellationToken cancellation)
    {
        // An application's answer has a date, always.
        if (answer.StatusCode != HttpStatusCode.BadRequest
            || answer.Version.Major >= 2
            || answer.Content.Headers.ContentLength != Refusal.Length
            || answer.Headers.NonValidated.Contains("Date")
            || !string.Equals(await answer.Content.ReadAsStringAsync(cancellation), Refusal, StringComparison.Ordinal))
        {
            return false;
        }

        _urls[url] = true;
        return true;
    }
}
