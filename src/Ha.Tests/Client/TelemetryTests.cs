using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Ha.Client;
using Ha.Client.Routing;
using Ha.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using static Ha.Tests.Client.ScriptedCluster;

namespace Ha.Tests.Client;

public partial class TelemetryTests
{
    [Fact]
    public async Task Every_decision_is_logged_under_its_documented_event_id()
    {
        var seen = new ConcurrentBag<int>();
        using (var cluster = Logged(seen, o => o.AddIdempotencyKey = true))
        {
            // Learned, refused and so forgotten, unknown, avoided, paused, back.
            cluster.LedBy(A);
            await cluster.Client.GetStringAsync("/");
            cluster.Everywhere(Problem(503, "no leader"), Break, Refuse, Refuse, Refuse, Ok(A));
            using var write = await cluster.Client.PostAsync("/notes", content: null);
            for (var i = 0; i < 3; i++)
            {
                await cluster.Client.GetStringAsync("/");
            }

            cluster.Everywhere(Problem(503, "no leader", retryAfter: 99));
            await Assert.ThrowsAsync<LeaderRoutingException>(() => cluster.Client.PostAsync("/notes", content: null));
        }

        using (var cluster = Logged(seen))
        {
            cluster.LedBy("http://elsewhere");
            cluster.On("http://elsewhere", Ok());
            using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Headers = { { "Authorization", "Bearer x" } } };
            using var response = await cluster.Client.SendAsync(request);

            // Sent once only: asks for the leader first.
            cluster.Everywhere(Ok());
            using var stream = await cluster.Client.PostAsync("/", new StreamContent(new MemoryStream(new byte[70_000])));
        }

        using (var cluster = Logged(seen, o => o.ResolveNodes = (_, _) => throw new InvalidOperationException("no registry")))
        {
            await cluster.Client.GetStringAsync("/");

            // The call goes on with the name itself; that nothing was found is told when all names have been looked up.
            await Eventually.True(() => seen.Contains(12));
        }

        var documented = EventRow().Matches(Repository.Read("docs/client.md")).Select(row => int.Parse(row.Groups["id"].ValueSpan));
        Assert.Equal(documented.Order(), seen.Distinct().Order());
    }

    [Fact]
    public async Task Every_decision_counts_in_the_documented_instruments()
    {
        var instruments = new ConcurrentDictionary<string, string>();
        var tags = new ConcurrentBag<string>();
        using var listener = new MeterListener();
        using var cluster = new ScriptedCluster();
        _ = cluster.Client;
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == ClientMetrics.MeterName)
            {
                instruments[instrument.Name] = instrument.Unit ?? "";
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, found, _) => Add(instrument, found));
        listener.SetMeasurementEventCallback<double>((instrument, _, found, _) => Add(instrument, found));
        listener.Start();
        cluster.Everywhere(ToLeader(A), Refuse, Problem(503, "no leader"), Ok(A));
        using var response = await cluster.Client.PostAsync("/notes", content: null);

        var documented = InstrumentRow().Matches(Repository.Read("docs/client.md"))
            .ToDictionary(row => row.Groups["name"].Value, row => row.Groups["unit"].Value);
        Assert.Equal(documented.OrderBy(pair => pair.Key), instruments.OrderBy(pair => pair.Key));
        Assert.Equal(documented.Keys.Order(), tags.Select(tag => tag.Split(' ')[0]).Distinct().Order());
        foreach (var result in (string[])["redirected", "unreachable", "refused", "answered"])
        {
            Assert.Contains(tags, tag => tag.StartsWith("ha.client.attempts", StringComparison.Ordinal) && tag.EndsWith("kind=write result=" + result, StringComparison.Ordinal));
        }

        void Add(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> found) =>
            tags.Add(string.Join(' ', found.ToArray().Select(tag => $"{tag.Key}={tag.Value}").Prepend(instrument.Name)));
    }

    [Fact]
    public async Task Credentials_of_the_hook_that_are_kept_back_are_told_too()
    {
        var seen = new ConcurrentBag<int>();
        using var cluster = Logged(seen, o => o.GetAuthorization = (_, _) => ValueTask.FromResult<AuthenticationHeaderValue?>(new("Bearer", "secret")));
        cluster.LedBy("http://elsewhere");
        cluster.On("http://elsewhere", Ok());
        using var response = await cluster.Client.PostAsync("/", content: null);
        Assert.Contains(9, seen);
    }

    [Fact]
    public void Handlers_that_are_made_by_hand_share_one_meter()
    {
        var published = new ConcurrentBag<Instrument>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter.Name == ClientMetrics.MeterName && instrument.Meter.Scope is null)
                {
                    published.Add(instrument);
                }
            },
        };
        listener.Start();
        for (var i = 0; i < 3; i++)
        {
            new LeaderRoutingHandler(new LeaderRoutingOptions { Nodes = ["http://a"] }).Dispose();
        }

        Assert.Equal(5, published.Distinct().Count());
        Assert.Single(published.Select(instrument => instrument.Meter).Distinct());
    }

    private static ScriptedCluster Logged(ConcurrentBag<int> seen, Action<LeaderRoutingOptions>? configure = null) => new(configure, services =>
        services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new Ids(seen))));

    [GeneratedRegex(@"^\| (?<id>\d+) \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex EventRow();

    [GeneratedRegex(@"^\| `(?<name>ha\.client\.[a-z.]+)` \| `(?<unit>[^`]+)` \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex InstrumentRow();

    private sealed class Ids(ConcurrentBag<int> seen) : ILoggerProvider, ILogger
    {
        private bool _ours;

        public ILogger CreateLogger(string categoryName) => new Ids(seen) { _ours = categoryName == "Ha.Client" };

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => _ours;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (_ours)
            {
                Assert.NotEmpty(formatter(state, exception));
                seen.Add(eventId.Id);
            }
        }

        public void Dispose()
        {
        }
    }
}
