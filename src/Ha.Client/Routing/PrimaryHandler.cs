namespace Ha.Client.Routing;

/// <summary>The handler below the routing: it must not redirect by itself.</summary>
internal static class PrimaryHandler
{
    public static SocketsHttpHandler Create(LeaderRoutingOptions options) => new()
    {
        AllowAutoRedirect = false,
        ConnectTimeout = options.ConnectTimeout,

        // Longer than a node holds a write: sent earlier, the body is gone when the refusal comes.
        Expect100ContinueTimeout = options.AttemptTimeout,
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        RequestHeaderEncodingSelector = SentMark.Selector,
    };

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
