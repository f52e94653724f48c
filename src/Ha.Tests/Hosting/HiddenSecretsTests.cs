using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net.Http.Headers;
using System.Reflection;
using System.Text;
using System.Text.Json;
using Ha.Configuration;
using Ha.Security;
using Ha.Tests.Security.Signing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ha.Tests.Hosting;

/// <summary>
/// No secret shows anywhere: one cluster with every kind of secret, everything it says gathered from everywhere it can
/// say it, and all of that searched for each secret in each form in which it could slip out.
/// </summary>
public class HiddenSecretsTests
{
    private const string ClusterSecret = "correct-horse-battery-staple-7391";
    private const string AdminToken = "open-sesame-for-tests-5514";
    private static readonly string[] _ids = ["a", "b", "c"];
    private static readonly ConcurrentDictionary<string, byte> _said = new(StringComparer.Ordinal);

    [Fact]
    public async Task Nothing_that_a_cluster_says_shows_a_secret()
    {
        using var meters = ListenToMeters();
        using var activities = ListenToActivities();
        await using (var cluster = new KestrelCluster(_ids, Variables(), builder => UseOwnKey(builder)))
        {
            await cluster.StartAsync();
            await cluster.HasLeaderAsync("a");
            foreach (var node in cluster.Nodes)
            {
                await AskAsync(node);
                Say(node.Provider.Current);
                Say(node.App.Services.GetRequiredService<IOptions<HaOptions>>().Value);
                Say(node.App.Services.GetRequiredService<HaSettings>());
            }

            meters.RecordObservableInstruments();
        }

        Assert.Contains(_said.Keys, text => text.Contains("ha.heartbeats.rejected", StringComparison.Ordinal));
        Assert.Contains(_said.Keys, text => text.Contains("A heartbeat was rejected", StringComparison.Ordinal));
        Assert.Contains(_said.Keys, text => text.Contains("<html", StringComparison.OrdinalIgnoreCase));
        AssertHidden(_said.Keys);
    }

    [Fact]
    public void No_start_up_error_shows_a_secret()
    {
        var privateKey = NodeKeys.PrivateOf("a");
        (string, string?)[][] mistakes =
        [
            [("BASE_NODE_KEY", privateKey[..^50])],
            [("BASE_NODE_KEY", privateKey.Replace("PRIVATE", "PRIVAT", StringComparison.Ordinal))],
            [("BASE_NODE_KEY", privateKey), ("BASE_NODE_KEY_FILE", privateKey)],
            [("BASE_NODE_KEY_FILE", privateKey)],
            [("BASE_PEER_KEYS", $"a={OneLine(privateKey)}")],
            [("BASE_PEER_KEYS", OneLine(privateKey))],
            [("BASE_CLUSTER_SECRET", ClusterSecret), ("BASE_CLUSTER_SECRET_FILE", ClusterSecret)],
            [("BASE_CLUSTER_SECRET", ""), ("BASE_CLUSTER_SECRET_FILE", ClusterSecret)],
            [("BASE_CLUSTER_SECRET", string.Join(',', Enumerable.Repeat(ClusterSecret, 20)))],
            [("BASE_ADMIN_TOKEN", $"{AdminToken} with a space")],
            [("BASE_ADMIN_TOKEN_FILE", AdminToken)],
        ];
        foreach (var mistake in mistakes)
        {
            var error = Assert.Throws<InvalidHaOptionsException>(() => HaSettings.Parse(Configuration.Settings.Read(Configuration.Settings.Cluster(mistake))));
            AssertHidden([error.Message, error.ToString(), .. error.Failures]);
        }
    }

    /// <summary>A record prints its members, so none may hold the text of a secret or the options.</summary>
    [Fact]
    public void No_record_holds_a_secret()
    {
        var records = typeof(HaOptions).Assembly.GetTypes()
            .Where(type => type.GetMethod("PrintMembers", BindingFlags.Instance | BindingFlags.NonPublic, [typeof(StringBuilder)]) is not null)
            .ToArray();
        Assert.Contains(typeof(RingKey), records);
        Assert.All(
            records.SelectMany(type => type.GetProperties()),
            property => Assert.DoesNotMatch("(?i)secret|token(?!s?$)|password|privatekey|nodekey", property.Name));
        Assert.All(
            new object[] { Secretive(), HaSettings.Parse(Secretive()), new HashedToken(AdminToken), new SecretText(ClusterSecret, null), new HmacKey(ClusterSecret) },
            value => AssertHidden([value.ToString()!]));
    }

    private static HaOptions Secretive() =>
        new() { LocalTarget = "http://a", NodeKey = NodeKeys.PrivateOf("a"), AdminToken = AdminToken, ClusterSecrets = { ClusterSecret } };

    private static (string Key, string? Value)[] Variables() =>
    [
        ("BASE_CLUSTER_SECRET", ClusterSecret), ("BASE_ADMIN_TOKEN", AdminToken), ("BASE_PEER_KEYS", string.Join(',', _ids.Select(NodeKeys.EntryOf))),
    ];

    private static void UseOwnKey(Microsoft.AspNetCore.Builder.WebApplicationBuilder builder)
    {
        builder.Configuration["BASE_NODE_KEY"] = NodeKeys.PrivateOf(builder.Configuration["BASE_NODE_ID"]!);
        builder.Logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new Listener());
    }

    /// <summary>Every route, with and without the right credentials, and heartbeats of strangers that nearly fit.</summary>
    private static async Task AskAsync(KestrelCluster.Node node)
    {
        string[] routes = ["/_ha", "/_ha/leader", "/_ha/peers", "/_ha/healthz", "/_ha/healthz/leader", "/_ha/healthz/ready", "/_ha/heartbeat", "/_ha/none", "/notes"];
        foreach (var route in routes)
        {
            await SayAsync(await node.GetAsync(route));
        }

        foreach (var token in new[] { AdminToken, "wrong" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{node.Url}/_ha/step-down") { Content = new StringContent("""{"to":"nobody"}""") };
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            await SayAsync(await node.Client.SendAsync(request));
        }

        foreach (var key in new HaKey[] { new HmacKey(ClusterSecret), new HmacKey(ClusterSecret + "!"), Ed25519Key.ReadPrivate(KeyText.Decode(NodeKeys.PrivateOf("a"))!)! })
        {
            foreach (var body in new[] { "{}", "not JSON", JsonSerializer.Serialize(new { from = "x" }) })
            {
                var signed = HeartbeatSignature.SignRequest(key, Encoding.UTF8.GetBytes(body), 1);
                using var request = new HttpRequestMessage(HttpMethod.Post, $"{node.Url}/_ha/heartbeat") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
                request.Headers.TryAddWithoutValidation("Content-Digest", signed.ContentDigest);
                request.Headers.TryAddWithoutValidation("Signature-Input", signed.SignatureInput);
                request.Headers.TryAddWithoutValidation("Signature", signed.Signature);
                await SayAsync(await node.Client.SendAsync(request));
            }
        }
    }

    private static async Task SayAsync(HttpResponseMessage response)
    {
        Say($"{response.StatusCode} {response.Headers} {await response.Content.ReadAsStringAsync()}");
        response.Dispose();
    }

    private static void Say(object? what) => _said.TryAdd(what?.ToString() ?? "", 0);

    private static void AssertHidden(IEnumerable<string> texts)
    {
        var all = string.Join('\n', texts);
        Assert.All(Forms(), secret => Assert.DoesNotContain(secret, all, StringComparison.OrdinalIgnoreCase));
    }

    private static IEnumerable<string> Forms()
    {
        foreach (var text in new[] { ClusterSecret, AdminToken })
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            yield return text;
            yield return Convert.ToBase64String(bytes)[..^4];
            yield return Convert.ToHexString(bytes);
        }

        foreach (var id in _ids)
        {
            // The private number itself: the last 32 bytes of the DER form.
            var line = OneLine(NodeKeys.PrivateOf(id));
            var der = KeyText.Decode(NodeKeys.PrivateOf(id))!;
            yield return line[24..48];
            yield return Convert.ToHexString(der.AsSpan(^32..));
            yield return Convert.ToBase64String(der.AsSpan(^32..))[..40];
        }
    }

    private static string OneLine(string pem) => Convert.ToBase64String(KeyText.Decode(pem)!);

    private static MeterListener ListenToMeters()
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "Ha")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => Tell(instrument, tags));
        listener.SetMeasurementEventCallback<int>((instrument, _, tags, _) => Tell(instrument, tags));
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Tell(instrument, tags));
        listener.Start();
        return listener;

        static void Tell(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            Say($"{instrument.Name} {string.Join(' ', tags.ToArray())}");
    }

    private static ActivityListener ListenToActivities()
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = _ => true,
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity => Say($"{activity.DisplayName} {string.Join(' ', activity.TagObjects)}"),
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }

    private sealed class Listener : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
        {
            Say(state);
            return null;
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Say($"{formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }
}
