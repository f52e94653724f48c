using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Ha.Client;
using Microsoft.Extensions.DependencyInjection;

namespace Ha.Tests.Client;

/// <summary>What one attempt looked like when it came to a node.</summary>
internal sealed record Sent(string Node, HttpRequestMessage Request, string? Body)
{
    public string? Header(string name) => Request.Headers.TryGetValues(name, out var values) ? string.Join(',', values) : null;
}

/// <summary>Nodes a, b and c as one in-memory primary handler: each test says how they answer.</summary>
internal sealed class ScriptedCluster : HttpMessageHandler
{
    public const string A = "http://a:1", B = "http://b:2", C = "http://c:3";

    private readonly Dictionary<string, Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>>> _nodes = [];
    private readonly List<Sent> _sent = [];
    private readonly ServiceProvider _services;

    public ScriptedCluster(Action<LeaderRoutingOptions>? configure = null, Action<IServiceCollection>? services = null)
    {
        var collection = new ServiceCollection();
        collection.AddSingleton<TimeProvider>(Time);
        collection.AddHttpClient("api").ConfigurePrimaryHttpMessageHandler(() => this).AddLeaderRouting(options =>
        {
            options.Nodes = [A, B, C];
            configure?.Invoke(options);
        });
        services?.Invoke(collection);
        _services = collection.BuildServiceProvider();
        foreach (var node in (string[])[A, B, C])
        {
            On(node, Ok());
        }
    }

    public VirtualTime Time { get; } = new();

    public HttpClient Client => _services.GetRequiredService<IHttpClientFactory>().CreateClient("api");

    public IReadOnlyList<Sent> Log
    {
        get
        {
            lock (_sent)
            {
                return [.. _sent];
            }
        }
    }

    public string[] Path => [.. Log.Select(sent => sent.Node)];

    public void Forget()
    {
        lock (_sent)
        {
            _sent.Clear();
        }
    }

    public void On(string node, Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> answer) => _nodes[node] = answer;

    public void On(string node, Func<HttpRequestMessage, HttpResponseMessage> answer) =>
        On(node, (request, _) => Task.FromResult(answer(request)));

    /// <summary>The first answers one after the other, then the last one again and again.</summary>
    public void On(string node, params Func<HttpRequestMessage, HttpResponseMessage>[] answers)
    {
        var turn = 0;
        On(node, (request, _) => Task.FromResult(answers[Math.Min(turn++, answers.Length - 1)](request)));
    }

    public void Everywhere(params Func<HttpRequestMessage, HttpResponseMessage>[] answers)
    {
        var turn = 0;
        foreach (var node in _nodes.Keys.ToArray())
        {
            On(node, (request, _) => Task.FromResult(answers[Math.Min(turn++, answers.Length - 1)](request)));
        }
    }

    /// <summary>A leads in epoch 7, and all know it.</summary>
    public void LedBy(string leader, long epoch = 7)
    {
        foreach (var node in _nodes.Keys.ToArray())
        {
            On(node, node == leader ? Ok(leader, epoch) : request => IsRead(request) ? Ok(leader, epoch)(request) : ToLeader(leader, epoch)(request));
        }
    }

    public static Func<HttpRequestMessage, HttpResponseMessage> Ok(string? leader = null, long epoch = 7) => _ => Says(HttpStatusCode.OK, leader, epoch);

    public static Func<HttpRequestMessage, HttpResponseMessage> ToLeader(string leader, long epoch = 7) => request =>
    {
        var response = Says(HttpStatusCode.TemporaryRedirect, leader, epoch);
        response.Headers.TryAddWithoutValidation("Location", leader + request.RequestUri!.PathAndQuery);
        return response;
    };

    public static Func<HttpRequestMessage, HttpResponseMessage> Problem(int status, string error, int? retryAfter = null, bool notExecuted = false) => _ =>
    {
        var response = Says((HttpStatusCode)status, leader: null, epoch: 0);
        response.Content = new StringContent($$"""{"error":"{{error}}"}""", Encoding.UTF8, "application/problem+json");
        if (retryAfter is { } seconds)
        {
            response.Headers.TryAddWithoutValidation("Retry-After", seconds.ToString(CultureInfo.InvariantCulture));
        }

        if (notExecuted)
        {
            response.Headers.Add("X-Base-Not-Executed", "1");
        }

        return response;
    };

    /// <summary>The same answer, with the name of the node that gave it or passed it on.</summary>
    public static Func<HttpRequestMessage, HttpResponseMessage> Shown(Func<HttpRequestMessage, HttpResponseMessage> answer) => request =>
    {
        var response = answer(request);
        response.Headers.Add("X-Base-Node", "node");
        return response;
    };

    /// <summary>Of a gateway before the nodes, or of an application whose node does not show itself.</summary>
    public static Func<HttpRequestMessage, HttpResponseMessage> Bare(int status) => _ => new((HttpStatusCode)status) { Content = new StringContent("<html>") };

    public static HttpResponseMessage Refuse(HttpRequestMessage request) =>
        throw new HttpRequestException(HttpRequestError.ConnectionError, "refused", new SocketException((int)SocketError.ConnectionRefused));

    public static HttpResponseMessage Break(HttpRequestMessage request) =>
        throw new HttpRequestException("broken", new IOException("connection reset"));

    public static bool IsRead(HttpRequestMessage request) => request.Method == HttpMethod.Get;

    /// <summary>Reads a body as a transport does, which leaves nothing behind for the next copy.</summary>
    public static async Task<string> TextAsync(HttpContent content, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        await content.CopyToAsync(body, cancellationToken);
        return Encoding.UTF8.GetString(body.ToArray());
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var node = request.RequestUri!.GetLeftPart(UriPartial.Authority);
        var answer = _nodes.GetValueOrDefault(node) ?? throw new InvalidOperationException($"Nothing may be sent to {node}.");

        // A node that has not said 100 yet has no body to look at.
        var body = request.Content is null || request.Headers.ExpectContinue == true ? null : await TextAsync(request.Content, cancellationToken);
        lock (_sent)
        {
            _sent.Add(new Sent(node, request, body));
        }

        return await answer(request, cancellationToken);
    }

    private static HttpResponseMessage Says(HttpStatusCode status, string? leader, long epoch)
    {
        var response = new HttpResponseMessage(status);
        response.Headers.Add("X-Base-Epoch", epoch.ToString(CultureInfo.InvariantCulture));
        if (leader is not null)
        {
            response.Headers.Add("X-Base-Leader", leader);
        }

        return response;
    }
}
