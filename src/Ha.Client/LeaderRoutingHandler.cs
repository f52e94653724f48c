using Ha.Client.Routing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ha.Client;

/// <summary>
/// Sends writes to the leader of a cluster and reads to all nodes in turn, and repeats what certainly was not executed, for an
/// <see cref="HttpClient"/> that is made by hand; with <see cref="IHttpClientFactory"/> use <c>AddLeaderRouting</c>, which makes it.
/// </summary>
/// <remarks>
/// Thread-safe. What it learns about the cluster is its own: keep one, and its client, for as long as the process lives. It stands
/// next to the primary handler; handlers of the application belong around it, so that they run once a call. One that copies messages
/// (a hedge) sends a write twice in this way, unless the write has an <c>Idempotency-Key</c>: use <c>AddLeaderRouting</c> there.
/// </remarks>
public sealed class LeaderRoutingHandler : DelegatingHandler
{
    private readonly RoutingContext _routing;
    private readonly HttpMessageHandler? _checked;

    /// <summary>Makes a handler for one cluster.</summary>
    /// <param name="options">Validated here; not to be changed afterwards.</param>
    /// <param name="innerHandler">
    /// What sends the attempts, disposed of with this handler; null: a <see cref="SocketsHttpHandler"/> that fits.
    /// </param>
    /// <param name="loggerFactory">For the category <c>Ha.Client</c>; null: nothing is logged.</param>
    /// <exception cref="ArgumentException">An option is out of range; the message names all of them.</exception>
    /// <exception cref="InvalidOperationException">
    /// <paramref name="innerHandler"/> follows redirects by itself, or gives cookies or a password to whoever asks.
    /// </exception>
    public LeaderRoutingHandler(LeaderRoutingOptions options, HttpMessageHandler? innerHandler = null, ILoggerFactory? loggerFactory = null)
        : this(CreateRouting(options, ref innerHandler, loggerFactory)) => InnerHandler = _checked = innerHandler!;

    internal LeaderRoutingHandler(RoutingContext routing) => _routing = routing;

    internal ClusterMap Map => _routing.Map;

    /// <inheritdoc/>
    /// <exception cref="LeaderRoutingException">Nobody answered within the deadline; a write was certainly not executed.</exception>
    /// <exception cref="WriteOutcomeUnknownException">A write may have been executed, and may not.</exception>
    /// <exception cref="InvalidOperationException">The URL is not of the cluster.</exception>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (_checked is not null && InnerHandler != _checked)
        {
            throw new InvalidOperationException("The inner handler was replaced, so nobody knows whether it keeps credentials inside the cluster: give it to the constructor.");
        }

        var member = request.RequestUri is { } uri ? MemberUrl.NameOf(uri) : "";
        if (!_routing.Map.IsOfCluster(member) && !(CallHistory.Of(request).Origin is { } origin && _routing.Map.IsOfCluster(origin)))
        {
            throw new InvalidOperationException(request.RequestUri is { IsAbsoluteUri: true }
                ? $"Client '{_routing.Client}' talks to its cluster only, and {(member.Length > 0 ? member : "the request's URL")} is not one of its Nodes. " +
                    "Add it to Nodes; or use a relative URL and leave BaseAddress alone, which is the first of Nodes then; or use a client without leader routing for other hosts."
                : $"Client '{_routing.Client}' got a relative URL and no BaseAddress, which an HttpClient of the factory has: put one of its Nodes before it.");
        }

        return new RoutedCall(_routing, request, base.SendAsync).RunAsync(cancellationToken);
    }

    /// <summary>Not supported: the base class would hand the request to the transport as it is.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken) =>
        throw new NotSupportedException($"Client '{_routing.Client}' routes asynchronous calls only; use SendAsync.");

    private static RoutingContext CreateRouting(LeaderRoutingOptions options, ref HttpMessageHandler? innerHandler, ILoggerFactory? loggerFactory)
    {
        ArgumentNullException.ThrowIfNull(options);
        var errors = LeaderRoutingOptionsValidator.Errors(options);
        if (errors.Count > 0)
        {
            throw new ArgumentException($"LeaderRoutingHandler: {string.Join(' ', errors)}", nameof(options));
        }

        innerHandler ??= PrimaryHandler.Create(options);
        var proof = PrimaryHandler.Check(nameof(LeaderRoutingHandler), innerHandler);
        var log = new ClientLog((loggerFactory ?? NullLoggerFactory.Instance).CreateLogger("Ha.Client"));
        return RoutingContext.Create(
            nameof(LeaderRoutingHandler), options, PrimaryHandler.AddressesOf(innerHandler), TimeProvider.System, log, new ClientMetrics(factory: null), proof);
    }
}
