using Grpc.Net.Client.Balancer;
using Ha.Grpc.Client.Resolving;

namespace Ha.Grpc.Client.Balancing;

/// <summary>
/// Stands between a channel and its connections. Each request that leaves, call or watch, carries the name of its node as it was written,
/// for the server's host filter and for the certificate.
/// </summary>
/// <param name="inner">The application's handlers, with a <see cref="SocketsHttpHandler"/> at their end.</param>
internal sealed class NodeHandler(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    // By these Grpc.Net.Client tells its connect callback whose connection it opens. They are no public names of its, so a request
    // that lacks them is an error that says so.
    private static readonly HttpRequestOptionsKey<Subchannel> _subchannel = new("Subchannel");
    private static readonly HttpRequestOptionsKey<BalancerAddress> _address = new("CurrentAddress");

    /// <summary>Sends a request over the connection of one node, which is opened if there is none.</summary>
    public static void Route(HttpRequestMessage request, Subchannel subchannel, BalancerAddress address)
    {
        request.Options.Set(_subchannel, subchannel);
        request.Options.Set(_address, address);
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (!request.Options.TryGetValue(_address, out var address) || !request.Options.TryGetValue(_subchannel, out _))
        {
            throw new NotSupportedException(
                "A gRPC request does not say which connection it is for: "
                + "this version of Ha.Grpc.Client does not work with this version of Grpc.Net.Client.");
        }

        if (address.Attributes.TryGetValue(NodeAddress.Authority, out var authority))
        {
            request.Headers.Host = authority;
        }

        OnePassage.Begin(request);
        request.Content = request.Content is { } body ? new WholeContent(body) : null;
        return await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
    }
}

/// <summary>Ends a call at one node, whatever the balancer would pick: the transport of the watches.</summary>
internal sealed class NodeTransport(HttpMessageInvoker connections, Func<Subchannel> subchannel, BalancerAddress address) : HttpMessageHandler
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        NodeHandler.Route(request, subchannel(), address);
        return connections.SendAsync(request, cancellationToken);
    }
}
