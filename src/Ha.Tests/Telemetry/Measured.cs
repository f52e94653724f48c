using System.Diagnostics.Metrics;
using Ha.Grpc.Health;
using Ha.Telemetry;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Telemetry;

/// <summary>Metrics with a real listener of their own meter; meters of other tests have the same name.</summary>
internal sealed class Measured : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly MeterListener _listener = new();
    private readonly Lock _lock = new();
    private readonly List<Measurement> _all = [];

    public Measured()
    {
        var factory = _services.GetRequiredService<IMeterFactory>();
        Metrics = new HaMetrics(factory);
        Watches = new OpenWatches(factory);
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, factory))
            {
                lock (_lock)
                {
                    Instruments.Add(instrument);
                }

                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();
    }

    public HaMetrics Metrics { get; }

    /// <summary>What the package for gRPC measures, with the same meter.</summary>
    public OpenWatches Watches { get; }

    public List<Instrument> Instruments { get; } = [];

    public IReadOnlyList<Measurement> All
    {
        get
        {
            lock (_lock)
            {
                return [.. _all];
            }
        }
    }

    /// <summary>Measurements of one instrument as <c>value tag=value …</c>, in the order they came.</summary>
    public string Of(string instrument) => string.Join("; ", All
        .Where(measurement => string.Equals(measurement.Instrument, instrument, StringComparison.Ordinal))
        .Select(measurement => string.Join(' ', [FormattableString.Invariant($"{measurement.Value}"), .. measurement.Tags.Select(tag => $"{tag.Key}={tag.Value}")])));

    public void ReadGauges() => _listener.RecordObservableInstruments();

    public void Dispose()
    {
        _listener.Dispose();
        Metrics.Dispose();
        _services.Dispose();
    }

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (_lock)
        {
            _all.Add(new Measurement(instrument.Name, value, tags.ToArray()));
        }
    }

    internal sealed record Measurement(string Instrument, double Value, IReadOnlyList<KeyValuePair<string, object?>> Tags);
}
