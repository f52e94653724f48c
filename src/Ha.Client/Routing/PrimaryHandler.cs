using System.Net;
using Ha.Http;

namespace Ha.Client.Routing;

/// <summary>
/// The handler below the routing. It must neither redirect by itself nor add anything that only members may see: it
/// does not know which targets are members, and its cookies even ignore ports.
/// </summary>
internal static class PrimaryHandler
{
    private static readonly TimeSpan _ping = TimeSpan.FromSeconds(2);

    /// <param name="options">Validated.</param>
    /// <param name="resolve">How names become addresses, for tests; null: the system's resolver.</param>
    public static SocketsHttpHandler Create(
        LeaderRoutingOptions options, Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = options.ConnectTimeout,

            // Longer than a node holds a write: sent earlier, the body is gone when the refusal comes.
            Expect100ContinueTimeout = options.AttemptTimeout,

            // A name with one address is looked up by connecting only.
            PooledConnectionLifetime = NodeFinder.Every,

            // Over HTTP/2 a request that is given up leaves its connection in the pool, though its host may have vanished.
            KeepAlivePingDelay = _ping,
            KeepAlivePingTimeout = _ping,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        };
        return new AddressRace(resolve).UseIn(handler);
    }

    /// <summary>
    /// How the names of nodes become addresses that requests can be sent to one by one; null where that must be left to the handler:
    /// one that is not the runtime's, goes through a proxy, or knows the nodes' passwords by their names.
    /// </summary>
    /// <param name="handler">Checked.</param>
    /// <param name="resolve">For tests; null: the system's resolver.</param>
    public static Func<Uri, CancellationToken, Task<IPAddress[]>>? AddressesOf(
        HttpMessageHandler? handler, Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null)
    {
        if (Innermost(handler) is not SocketsHttpHandler { Credentials: null } sockets)
        {
            return null;
        }

        resolve ??= Dns.GetHostAddressesAsync;
        return async (node, cancellationToken) =>
        {
            var proxy = sockets.UseProxy ? sockets.Proxy ?? HttpClient.DefaultProxy : null;
            var addresses = IsDirect(proxy, node) ? await resolve(node.IdnHost, cancellationToken).ConfigureAwait(false) : [];
            return addresses.All(address => IsDirect(proxy, new UriBuilder(node.Scheme, address.ToString(), node.Port).Uri)) ? addresses : [];
        };
    }

    /// <summary>The way through the names of nodes is another than that of the process.</summary>
    public static bool HasOwnProxy(HttpMessageHandler? handler) =>
        Innermost(handler) is SocketsHttpHandler { UseProxy: false } or SocketsHttpHandler { Proxy: not null };

    private static HttpMessageHandler? Innermost(HttpMessageHandler? handler)
    {
        while (handler is DelegatingHandler delegating)
        {
            handler = delegating.InnerHandler;
        }

        return handler;
    }

    private static bool IsDirect(IWebProxy? proxy, Uri target) => proxy is null || proxy.IsBypassed(target) || proxy.GetProxy(target) is null;

    /// <summary>Refuses a handler that undermines the routing, and marks what one of the runtime's sends.</summary>
    /// <exception cref="InvalidOperationException">The handler follows redirects, keeps cookies or gives a password to anybody.</exception>
    /// <returns>How much its failures prove.</returns>
    public static Proof Check(string client, HttpMessageHandler? handler)
    {
        handler = Innermost(handler);
        var fault = handler switch
        {
            SocketsHttpHandler sockets => Fault(sockets.AllowAutoRedirect, sockets.UseCookies, sockets.Credentials),
            HttpClientHandler http => Fault(http.AllowAutoRedirect, http.UseCookies, http.Credentials),
            _ => null,
        };
        if (fault is not null)
        {
            throw new InvalidOperationException(
                $"The primary handler of client '{client}' {fault} on the {handler!.GetType().Name}, or leave the primary handler to AddLeaderRouting.");
        }

        return handler switch
        {
            SocketsHttpHandler sockets when SentMark.TryInstall(sockets) => Proof.Mark,
            SocketsHttpHandler or HttpClientHandler => Proof.RuntimeExceptions,
            _ => Proof.Exceptions,
        };
    }

    private static string? Fault(bool redirects, bool cookies, ICredentials? credentials) =>
        redirects ? "follows redirects by itself: it would drop Authorization and could not send a body again. Set AllowAutoRedirect = false"
        : cookies ? "keeps cookies by itself: it would send them to leaders that are not among Nodes too. Send a Cookie header, and set UseCookies = false"
        : credentials is NetworkCredential ? "gives its Credentials to whoever asks, leaders that are not among Nodes too. Set a CredentialCache that names the nodes"
        : null;
}
