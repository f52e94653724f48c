using System.Net;
using Ha.Http;

namespace Ha.Client.Routing;

/// <summary>The handler below the routing: it must not redirect by itself.</summary>
internal static class PrimaryHandler
{
    /// <param name="options">Validated.</param>
    /// <param name="resolve">How names become addresses, for tests; null: the system's resolver.</param>
    public static SocketsHttpHandler Create(
        LeaderRoutingOptions options, Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            ConnectTimeout = options.ConnectTimeout,

            // Longer than a node holds a write: sent earlier, the body is gone when the refusal comes.
            Expect100ContinueTimeout = options.AttemptTimeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
            RequestHeaderEncodingSelector = SentMark.Selector,
        };
        return new AddressRace(resolve).UseIn(handler);
    }

    /// <exception cref="InvalidOperationException">The handler follows redirects by itself.</exception>
    /// <returns>How much its failures prove.</returns>
    public static Proof Check(string client, HttpMessageHandler? handler)
    {
        while (handler is DelegatingHandler delegating)
        {
            handler = delegating.InnerHandler;
        }

        if (handler is SocketsHttpHandler { AllowAutoRedirect: true } or HttpClientHandler { AllowAutoRedirect: true })
        {
            throw new InvalidOperationException(
                $"The primary handler of client '{client}' follows redirects by itself: it would drop Authorization and could not " +
                $"send a body again. Set AllowAutoRedirect = false on the {handler.GetType().Name}, or leave the primary handler to AddLeaderRouting.");
        }

        return handler switch
        {
            SocketsHttpHandler sockets when sockets.RequestHeaderEncodingSelector == SentMark.Selector => Proof.Mark,
            SocketsHttpHandler or HttpClientHandler => Proof.RuntimeExceptions,
            _ => Proof.Exceptions,
        };
    }
}
