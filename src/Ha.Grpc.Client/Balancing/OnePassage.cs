using Ha.Grpc.Client.Repeating;

namespace Ha.Grpc.Client.Balancing;

/// <summary>
/// Stands right before the connections, behind all handlers of the application. One that sends requests again, as the standard resilience
/// handler does, would have a call executed twice that nobody has called idempotent, and end it with the last error, which proves nothing
/// of the first. So the same request, or a copy of it, passes again only if what came of it before proves that nothing was executed.
/// What the runtime repeats by itself further down, because a server has declared it unprocessed, does not come by here.
/// </summary>
internal sealed class OnePassage(HttpMessageHandler connections) : DelegatingHandler(connections)
{
    // Copies of a request have its options.
    private static readonly HttpRequestOptionsKey<Passage> _key = new("Ha.Grpc.Client.Passage");

    /// <summary>Called for each attempt of a call, before the application's handlers see it.</summary>
    public static void Begin(HttpRequestMessage request) => request.Options.Set(_key, new Passage());

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (!request.Options.TryGetValue(_key, out var passage))
        {
            return await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }

        if (Interlocked.Exchange(ref passage.IsTaken, true))
        {
            throw new IOException(
                "An HTTP handler of this client sent the call again, which may have been executed. It was not sent twice: "
                + "Ha.Grpc.Client repeats what may be repeated, so take handlers that retry or hedge from this client.");
        }

        try
        {
            return await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (Failure.NothingWasExecuted(error))
        {
            Volatile.Write(ref passage.IsTaken, false);
            throw;
        }
    }

    private sealed class Passage
    {
        public bool IsTaken;
    }
}
