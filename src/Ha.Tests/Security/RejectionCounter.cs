using System.Diagnostics.Metrics;

namespace Ha.Tests.Security;

/// <summary>Listens to <c>ha.heartbeats.rejected</c> of one host, by reason.</summary>
internal sealed class RejectionCounter : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);

    /// <param name="host">The host's own; other hosts of this process have instruments of the same name.</param>
    public RejectionCounter(IMeterFactory host)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == "ha.heartbeats.rejected" && ReferenceEquals(instrument.Meter.Scope, host))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            lock (_counts)
            {
                var reason = (string)tags[0].Value!;
                _counts[reason] = _counts.GetValueOrDefault(reason) + value;
            }
        });
        _listener.Start();
    }

    public long Of(string reason)
    {
        lock (_counts)
        {
            return _counts.GetValueOrDefault(reason);
        }
    }

    public void Dispose() => _listener.Dispose();
}
