namespace Ha.Client.Routing;

/// <summary>
/// The outermost handler: gives each message its history before any handler of the app can copy the message, as hedging
/// does, so that the copies share it.
/// </summary>
internal sealed class HistoryHandler : DelegatingHandler
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        CallHistory.Of(request);
        return base.SendAsync(request, cancellationToken);
    }
}
