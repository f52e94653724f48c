using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Ha.Forwarding.Proxy;

/// <summary>
/// A leader with <c>UseHttpsRedirection</c> that takes the <c>http</c> between the nodes for the client's own. It sends
/// the client to where the client came from, for ever.
/// </summary>
internal static class HttpsLoop
{
    /// <summary>True when a client that came over https is to repeat its request over https, on the same host and path.</summary>
    public static bool IsClosedBy(HttpResponseMessage answer, HttpContext context) =>
        answer.StatusCode is HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect
        && CameOverHttps(context.Request)

        // Not parsed by the message, which would then pass it on in a spelling of its own.
        && answer.Headers.NonValidated.TryGetValues(HeaderNames.Location, out var value)
        && Uri.TryCreate(value.ToString(), UriKind.Absolute, out var location)
        && IsOwn(location, context.Request);

    // Behind a balancer that ends TLS, only the header knows.
    private static bool CameOverHttps(HttpRequest request) =>
        request.IsHttps || string.Equals(request.Headers["X-Forwarded-Proto"], Uri.UriSchemeHttps, StringComparison.OrdinalIgnoreCase);

    // On any port: the leader is told where https is, not where this client found it.
    private static bool IsOwn(Uri location, HttpRequest request) =>
        location.Scheme == Uri.UriSchemeHttps
        && string.Equals(location.Host, request.Host.Host, StringComparison.OrdinalIgnoreCase)
        && location.PathAndQuery == request.PathBase.Add(request.Path).ToUriComponent() + request.QueryString.ToUriComponent();
}
