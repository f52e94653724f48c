using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Ha.Client.Routing;

/// <summary>The instruments of the meter <c>Ha.Client</c>; names and units stand in docs/client.md. Thread-safe.</summary>
internal sealed class ClientMetrics
{
    public const string MeterName = "Ha.Client";

    /// <summary>The kind of a question who leads, beside reads and writes.</summary>
    public const string Lookup = "lookup";

    // The runtime keeps each meter that is made; this one also keeps its instruments, and gives them again.
    private static readonly Meter _ofTheProcess = new(MeterName);

    private readonly Counter<long> _attempts;
    private readonly Histogram<double> _calls;
    private readonly Histogram<double> _pauses;
    private readonly Counter<long> _avoided;
    private readonly Counter<long> _leaderChanges;

    public ClientMetrics(IMeterFactory? factory)
    {
        var meter = factory?.Create(MeterName) ?? _ofTheProcess;
        _attempts = meter.CreateCounter<long>("ha.client.attempts", "{attempt}", "Requests sent to nodes, by what came of them.");
        _calls = meter.CreateHistogram<double>("ha.client.call.duration", "s", "Calls until their answers are given back, all attempts included.");
        _pauses = meter.CreateHistogram<double>("ha.client.pause.duration", "s", "Waits between the attempts of a call.");
        _avoided = meter.CreateCounter<long>("ha.client.node.avoided", "{time}", "Times a node was put aside because it did not answer.");
        _leaderChanges = meter.CreateCounter<long>("ha.client.leader.changes", "{change}", "Times another leader became known.");
    }

    public void Attempted(string client, string node, bool write, Meaning meaning) => Attempted(client, node, Kind(write), meaning);

    public void Attempted(string client, string node, string kind, Meaning meaning)
    {
        if (_attempts.Enabled)
        {
            _attempts.Add(1, new TagList { { "client", client }, { "node", node }, { "kind", kind }, { "result", Result(meaning) } });
        }
    }

    public void Called(string client, bool write, string result, TimeSpan duration)
    {
        if (_calls.Enabled)
        {
            _calls.Record(duration.TotalSeconds, new TagList { { "client", client }, { "kind", Kind(write) }, { "result", result } });
        }
    }

    public void Paused(string client, TimeSpan duration) =>
        _pauses.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("client", client));

    public void Avoided(string node) => _avoided.Add(1, new KeyValuePair<string, object?>("node", node));

    public void LeaderChanged() => _leaderChanges.Add(1);

    private static string Kind(bool write) => write ? "write" : "read";

    private static string Result(Meaning meaning) => meaning switch
    {
        Meaning.Final => "answered",
        Meaning.Redirected => "redirected",
        Meaning.Refused => "refused",
        Meaning.Unreachable => "unreachable",
        Meaning.OutcomeUnknown => "outcome_unknown",
        Meaning.Broken => "broken",
        _ => "timed_out",
    };
}
