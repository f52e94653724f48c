using Ha.Chaos.Network;
using Ha.Client;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Chaos.Clients;

/// <summary>The client package: it finds the leader itself and repeats what was not executed.</summary>
internal sealed class RoutingClient : IClient, IDisposable
{
    private readonly ServiceProvider _services;
    private readonly HttpClient _http;

    public RoutingClient(NamespaceSockets sockets, IReadOnlyList<string> nodes, TimeSpan patience)
    {
        var services = new ServiceCollection();
        services.AddHttpClient("chaos").ConfigurePrimaryHttpMessageHandler(sockets.NewHandler)
            .AddLeaderRouting(o => (o.Nodes, o.Deadline, o.AttemptTimeout) = (nodes, patience, patience * 0.8));
        _services = services.BuildServiceProvider();
        _http = _services.GetRequiredService<IHttpClientFactory>().CreateClient("chaos");
    }

    public string Name => "Ha.Client";

    public async Task<Answer> SendAsync(string node, HttpMethod method, string path, string? json, string? key, CancellationToken cancellationToken)
    {
        try
        {
            using var request = PlainClient.NewRequest(method, new Uri(path, UriKind.Relative), json, key);
            using var response = await _http.SendAsync(request, cancellationToken);
            return Answer.From((int)response.StatusCode, response.Headers.Contains("X-Base-Not-Executed"),
                await response.Content.ReadAsStringAsync(cancellationToken));
        }
        catch (LeaderRoutingException e)
        {
            return Answer.Lost(e.Message, sent: false);
        }
        catch (Exception e) when (e is WriteOutcomeUnknownException or HttpRequestException or OperationCanceledException)
        {
            return Answer.Lost(e.Message, sent: true);
        }
    }

    public void Dispose() => _services.Dispose();
}
