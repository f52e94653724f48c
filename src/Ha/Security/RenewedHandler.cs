namespace Ha.Security;

/// <summary>
/// Sends by a handler that is made anew when what it depends on has changed: certificates, a member's addresses. The one before
/// stays until the next change, for the requests that still use it. Thread-safe.
/// </summary>
/// <param name="current">Another object after each change. Asked for every request.</param>
/// <param name="create">Makes the handler.</param>
internal sealed class RenewedHandler(Func<object> current, Func<HttpMessageHandler> create) : HttpMessageHandler
{
    private readonly Lock _lock = new();
    private Generation _current = Make(current(), create);
    private Generation? _previous;

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var generation = Volatile.Read(ref _current);
        if (!ReferenceEquals(generation.Of, current()))
        {
            generation = Renew();
        }

        return generation.Invoker.SendAsync(request, cancellationToken);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _current.Invoker.Dispose();
            _previous?.Invoker.Dispose();
        }

        base.Dispose(disposing);
    }

    private Generation Renew()
    {
        lock (_lock)
        {
            var of = current();
            if (!ReferenceEquals(_current.Of, of))
            {
                _previous?.Invoker.Dispose();
                _previous = _current;
                Volatile.Write(ref _current, Make(of, create));
            }

            return _current;
        }
    }

    private static Generation Make(object of, Func<HttpMessageHandler> create) => new(of, new HttpMessageInvoker(create()));

    private sealed record Generation(object Of, HttpMessageInvoker Invoker);
}
