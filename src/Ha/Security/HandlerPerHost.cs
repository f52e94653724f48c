using System.Collections.Concurrent;

namespace Ha.Security;

/// <summary>
/// A <see cref="RenewedHandler"/> for each host and port, so that new connections to one of them cost the others none. Thread-safe.
/// </summary>
/// <param name="current">Another object after each change at that host and port. Asked for every request.</param>
/// <param name="create">Makes a handler.</param>
/// <param name="clock">Forgets hosts that nobody calls any more. Default: the system's.</param>
internal sealed class HandlerPerHost(
    Func<string, int, object> current, Func<HttpMessageHandler> create, TimeProvider? clock = null) : HttpMessageHandler
{
    // A lease store's members come and go. Longer than an idle connection stays, so that what is forgotten holds none; a request that
    // still runs ends by itself.
    private static readonly TimeSpan _forgottenAfter = TimeSpan.FromMinutes(10);

    private readonly TimeProvider _clock = clock ?? TimeProvider.System;
    private readonly ConcurrentDictionary<(string Host, int Port), Entry> _hosts = new();

    /// <summary>How many there are.</summary>
    public int Count => _hosts.Count;

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var url = request.RequestUri!;
        var host = (url.IdnHost, url.Port);
        if (!_hosts.TryGetValue(host, out var entry))
        {
            Forget();
            entry = _hosts.GetOrAdd(host, static (host, make) => new Entry(make(host)), Make);
        }

        entry.UsedAt = _clock.GetTimestamp();
        return entry.Invoker.SendAsync(request, cancellationToken);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (var entry in _hosts.Values)
            {
                entry.Invoker.Dispose();
            }
        }

        base.Dispose(disposing);
    }

    private RenewedHandler Make((string Host, int Port) host) => new(() => current(host.Host, host.Port), create);

    private void Forget()
    {
        foreach (var (host, entry) in _hosts)
        {
            if (_clock.GetElapsedTime(entry.UsedAt) > _forgottenAfter)
            {
                _hosts.TryRemove(host, out _);
            }
        }
    }

    private sealed class Entry(RenewedHandler handler)
    {
        private long _usedAt;

        public HttpMessageInvoker Invoker { get; } = new(handler);

        public long UsedAt
        {
            get => Volatile.Read(ref _usedAt);
            set => Volatile.Write(ref _usedAt, value);
        }
    }
}
