namespace Ha.Client.Routing;

/// <summary>The policy's place in the handler chain. Thread-safe; each call has a state of its own.</summary>
internal sealed class LeaderRoutingHandler(RoutingContext routing) : DelegatingHandler
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var member = request.RequestUri is { } uri ? MemberUrl.Of(uri) : "";
        if (!routing.Map.IsTrusted(member))
        {
            throw new InvalidOperationException(request.RequestUri is { IsAbsoluteUri: true }
                ? $"Client '{routing.Client}' talks to its cluster only, and {(member.Length > 0 ? member : "the request's URL")} is not one of its Nodes. " +
                    "Add it to Nodes; or use a relative URL and leave BaseAddress alone, which is the first of Nodes then; or use a client without leader routing for other hosts."
                : $"Client '{routing.Client}' got a relative URL and no BaseAddress, which an HttpClient of the factory has: put one of its Nodes before it.");
        }

        return new RoutedCall(routing, request, base.SendAsync).RunAsync(cancellationToken);
    }

    // The base class would hand the request to the transport as it is.
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken) =>
        throw new NotSupportedException($"Client '{routing.Client}' routes asynchronous calls only; use SendAsync.");
}
