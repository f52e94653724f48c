using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Http;

namespace Ha.Tests.Processes;

/// <summary>
/// An application's client as docs/client.md shows it, with a token and keys, and a look at every request that leaves it:
/// where it goes, and whether the token is on it.
/// </summary>
internal sealed class RoutedClient : IRolledClient
{
    private const string Token = "for the cluster only";
    private static readonly TimeSpan _betweenReads = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentDictionary<(string Url, bool WithToken), int> _sent = new();
    private readonly ConcurrentDictionary<string, int> _readsBy = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _failedReads = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly ServiceProvider _services;
    private readonly HttpClient _http;
    private readonly string[] _nodes;
    private readonly Task _reading;

    public RoutedClient(ExampleCluster cluster)
    {
        _nodes = [.. cluster.Nodes.Select(node => node.Url)];
        var services = new ServiceCollection();
        services.AddHttpClient("api")
            .AddLeaderRouting(o =>
            {
                o.Nodes = _nodes;
                o.AddIdempotencyKey = true;
            });
        services.Configure<HttpClientFactoryOptions>("api", options => options.HttpMessageHandlerBuilderActions.Add(
            builder => builder.PrimaryHandler = new Witness(_sent) { InnerHandler = builder.PrimaryHandler }));
        _services = services.BuildServiceProvider();
        _http = _services.GetRequiredService<IHttpClientFactory>().CreateClient("api");
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        _reading = ReadAsync();
    }

    public IReadOnlyCollection<string> FailedReads => _failedReads;

    public IReadOnlyDictionary<string, int> ReadsByNode => _readsBy;

    public int RequestsWithToken => _sent.Where(sent => sent.Key.WithToken).Sum(sent => sent.Value);

    public IReadOnlyCollection<string> Leaks => [.. _sent.Keys.Where(sent => sent.WithToken && !_nodes.Contains(sent.Url, StringComparer.Ordinal)).Select(sent => sent.Url)];

    public async Task<NodeAnswer> AddAsync(string text)
    {
        using var answer = await _http.PostAsJsonAsync("/notes", new { text });
        return new NodeAnswer((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Headers, answer.Content.Headers);
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _reading;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _http.Dispose();
        await _services.DisposeAsync();
        _stop.Dispose();
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever went wrong is what the command asks for.")]
    private async Task ReadAsync()
    {
        using var timer = new PeriodicTimer(_betweenReads);
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var answer = await _http.GetAsync(new Uri("/notes?limit=1", UriKind.Relative));
                answer.EnsureSuccessStatusCode();
                _readsBy.AddOrUpdate(answer.Headers.GetValues("X-Base-Node").Single(), 1, static (_, count) => count + 1);
            }
            catch (Exception e)
            {
                _failedReads.Enqueue(e.Message);
            }

            await timer.WaitForNextTickAsync();
        }
    }

    /// <summary>Stands between the routing and the network.</summary>
    private sealed class Witness(ConcurrentDictionary<(string Url, bool WithToken), int> sent) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var withToken = request.Headers.NonValidated.Any(header => header.Value.ToString().Contains(Token, StringComparison.Ordinal));
            sent.AddOrUpdate((request.RequestUri!.GetLeftPart(UriPartial.Authority), withToken), 1, static (_, count) => count + 1);
            return base.SendAsync(request, cancellationToken);
        }
    }
}
