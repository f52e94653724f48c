using System.Diagnostics.Metrics;

namespace Ha.Telemetry;

/// <summary>
/// Meters that are disposed before their instruments are made, which then nobody gets to see. Heartbeats have instruments
/// of their own (<c>ha.heartbeat.*</c>); several a second would drown the application's calls in <c>http.client.*</c>. And what is
/// only rehearsed must not be counted.
/// </summary>
internal sealed class UnheardMeters : IMeterFactory
{
    public static readonly UnheardMeters Instance = new();

    public Meter Create(MeterOptions options)
    {
        var meter = new Meter(options);
        meter.Dispose();
        return meter;
    }

    public void Dispose()
    {
    }
}
