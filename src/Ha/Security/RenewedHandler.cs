using System.Net.Security;

namespace Ha.Security;

/// <summary>
/// Sends by a handler that is made anew when the certificates have changed. The one before stays until the next change,
/// for the requests that still use it. Thread-safe.
/// </summary>
internal sealed class RenewedHandler : HttpMessageHandler
{
    private readonly Lock _lock = new();
    private readonly NodeTls _tls;
    private readonly Func<SslClientAuthenticationOptions, HttpMessageHandler> _create;
    private Generation _current;
    private Generation? _previous;

    public RenewedHandler(NodeTls tls, Func<SslClientAuthenticationOptions, HttpMessageHandler> create)
    {
        _tls = tls;
        _create = create;
        _current = Make(tls.Current);
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var current = Volatile.Read(ref _current);
        if (!ReferenceEquals(current.Material, _tls.Current))
        {
            current = Renew();
        }

        return current.Invoker.SendAsync(request, cancellationToken);
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
            var material = _tls.Current;
            if (!ReferenceEquals(_current.Material, material))
            {
                _previous?.Invoker.Dispose();
                _previous = _current;
                Volatile.Write(ref _current, Make(material));
            }

            return _current;
        }
    }

    private Generation Make(TlsMaterial material) => new(material, new HttpMessageInvoker(_create(material.ToOptions())));

    private sealed record Generation(TlsMaterial Material, HttpMessageInvoker Invoker);
}
