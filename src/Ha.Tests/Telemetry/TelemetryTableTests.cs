using System.Diagnostics.Metrics;
using System.Reflection;
using System.Text.RegularExpressions;
using Ha.Telemetry;
using Ha.Tests.Endpoints;
using Ha.Tests.Support;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Ha.Tests.Telemetry;

/// <summary>Dashboards and alerts are written by docs/operations.md, so the page and the code must say the same.</summary>
public sealed partial class TelemetryTableTests
{
    [Fact]
    public void The_table_of_instruments_is_what_is_measured()
    {
        using var measured = new Measured();
        UseEverything(measured);
        measured.ReadGauges();
        var real = measured.Instruments.Select(instrument => Row(
            Code(instrument.Name), Kind(instrument), Code(instrument.Unit!), Tags(measured, instrument.Name), instrument.Description!));
        Assert.Equal(Sorted(real), Sorted(Table("### Instruments")));
    }

    [Fact]
    public void The_alerts_name_what_Prometheus_makes_of_the_instruments()
    {
        using var measured = new Measured();
        UseEverything(measured);
        measured.ReadGauges();
        var real = measured.Instruments.SelectMany(InPrometheus)
            .Concat(measured.All.SelectMany(measurement => measurement.Tags.Select(tag => tag.Key.Replace('.', '_'))))
            .ToHashSet(StringComparer.Ordinal);

        var used = PrometheusName().Matches(Repository.Read("docs/deploy/prometheus/alerts.yml") + Repository.Read("docs/operations.md"))
            .Select(match => match.Value).ToHashSet(StringComparer.Ordinal);

        Assert.Subset(real, used);
        Assert.Contains("ha_is_leader", used);
    }

    [Fact]
    public void The_table_of_log_events_is_what_can_be_logged()
    {
        var real = Messages().Select(message => Row(FormattableString.Invariant($"{message.EventId}"), $"{message.Level}", message.Message));
        Assert.Equal(Sorted(real), Sorted(Table("### Log events")));
    }

    [Fact]
    public void Event_ids_are_unique()
    {
        var ids = Messages().Select(message => message.EventId).ToList();
        Assert.Equal(ids.Count, ids.Distinct().Count());
    }

    [Fact]
    public void The_table_of_spans_names_what_is_started() =>
        Assert.StartsWith($"| `{HaActivitySource.Forward}` | client |", Assert.Single(Table("### Spans")), StringComparison.Ordinal);

    [Fact]
    public void Meter_and_activity_source_have_the_documented_name()
    {
        Assert.Equal("Ha", HaMetrics.MeterName);
        Assert.Equal("Ha", HaActivitySource.Source.Name);
    }

    private static void UseEverything(Measured measured)
    {
        var metrics = measured.Metrics;
        var clock = new FakeTimeProvider();
        metrics.Attach(new FakeProvider(new LeadershipSnapshot(clock, clock.GetTimestamp() + 1) { NodeId = "a", LeaderId = "a" }));
        metrics.LeadershipChanged("won");
        metrics.ConflictSeen("leaders");
        metrics.HeartbeatSent("b", TimeSpan.Zero);
        metrics.HeartbeatFailed("b", "timed_out");
        metrics.HeartbeatReceived();
        metrics.HeartbeatRejected("malformed");
        metrics.Write(WriteOutcome.Held, TimeSpan.Zero);
        metrics.Read(ReadOutcome.Reached, TimeSpan.Zero);
        metrics.Position(PositionOutcome.Issued);
        measured.Watches.Enter();
    }

    private static IEnumerable<LoggerMessageAttribute> Messages() =>
        from type in typeof(HaMetrics).Assembly.GetTypes()
        from method in type.GetMethods(BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        let message = method.GetCustomAttribute<LoggerMessageAttribute>()
        where message is not null
        select message;

    private static List<string> Table(string heading)
    {
        var page = Repository.Read("docs/operations.md");
        var section = page[page.IndexOf(heading + "\n", StringComparison.Ordinal)..];
        return [.. section.Split('\n')
            .SkipWhile(line => !line.StartsWith('|'))
            .TakeWhile(line => line.StartsWith('|'))
            .Skip(2)];
    }

    private static string Sorted(IEnumerable<string> rows) => string.Join('\n', rows.Order(StringComparer.Ordinal));

    private static string Row(params string[] cells) => $"| {string.Join(" | ", cells)} |";

    private static string Code(string text) => $"`{text}`";

    // The rules of OpenTelemetry's exporter.
    private static IEnumerable<string> InPrometheus(Instrument instrument)
    {
        var name = instrument.Name.Replace('.', '_') + (instrument.Unit is "s" ? "_seconds" : "");
        return Kind(instrument) switch
        {
            "counter" => [name + "_total"],
            "histogram" => [name + "_bucket", name + "_sum", name + "_count"],
            _ => [name],
        };
    }

    [GeneratedRegex(@"\bha_[a-z_]+", RegexOptions.None, 1000)]
    private static partial Regex PrometheusName();

    private static string Tags(Measured measured, string instrument)
    {
        var tags = measured.All
            .Where(measurement => string.Equals(measurement.Instrument, instrument, StringComparison.Ordinal))
            .SelectMany(measurement => measurement.Tags.Select(tag => Code(tag.Key)))
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal)
            .ToList();
        return tags.Count == 0 ? "–" : string.Join(", ", tags);
    }

    private static string Kind(Instrument instrument)
    {
        var type = instrument.GetType().Name;
        return type.StartsWith("Observable", StringComparison.Ordinal) ? "gauge" : type[..type.IndexOf('`', StringComparison.Ordinal)].ToLowerInvariant();
    }
}
