using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Tests.Leadership;

/// <summary>
/// Several <see cref="LuxLeader"/>s in one process that talk through memory instead of sockets: everything but the
/// network is what ships.
/// </summary>
internal sealed class LuxCluster : IAsyncDisposable
{
    private const string Secret = "a secret that only these tests know";
    private readonly Dictionary<string, LuxLeader> _nodes = [];
    private readonly string[] _ids;

    public LuxCluster(params string[] ids) => _ids = ids;

    public LuxLeader this[string id] => _nodes[id];

    public IEnumerable<LuxLeader> All => _nodes.Values;

    public LuxCluster StartAll()
    {
        foreach (var id in _ids)
        {
            Start(id);
        }

        return this;
    }

    public LuxLeader Start(string id, Action<HaOptions>? configure = null)
    {
        var options = new HaOptions
        {
            NodeId = id,
            LocalTarget = Url(id),
            PublicTarget = $"http://public-{id}",
            HeartbeatInterval = TimeSpan.FromMilliseconds(100),
            LeaseTimeout = TimeSpan.FromMilliseconds(600),
        };
        options.ClusterSecrets.Add(Secret);
        foreach (var peer in _ids)
        {
            options.Peers.Add(Url(peer));
        }

        configure?.Invoke(options);
        var node = new LuxLeader(options, new MemoryHandler(this));
        lock (_nodes)
        {
            _nodes[id] = node;
        }

        node.SetReady();
        return node;
    }

    public async Task KillAsync(string id)
    {
        LuxLeader node;
        lock (_nodes)
        {
            node = _nodes[id];
            _nodes.Remove(id);
        }

        node.Dispose();
        await node.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var id in _nodes.Keys.ToArray())
        {
            await KillAsync(id);
        }
    }

    private static string Url(string id) => $"http://{id}";

    private sealed class MemoryHandler(LuxCluster cluster) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            LuxLeader? node;
            lock (cluster._nodes)
            {
                cluster._nodes.TryGetValue(request.RequestUri!.Host, out node);
            }

            if (node is null)
            {
                throw new HttpRequestException(HttpRequestError.ConnectionError, "connection refused");
            }

            var context = new DefaultHttpContext();
            var body = new MemoryStream();
            context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(body));
            context.Request.Method = request.Method.Method;
            context.Request.Path = request.RequestUri.AbsolutePath;
            foreach (var (name, values) in request.Headers.Concat(request.Content!.Headers))
            {
                context.Request.Headers[name] = values.ToArray();
            }

            context.Request.Body = new MemoryStream(await request.Content.ReadAsByteArrayAsync(cancellationToken));
            await node.HandleHeartbeatAsync(context);
            await context.Response.Body.FlushAsync(cancellationToken);
            var response = new HttpResponseMessage((HttpStatusCode)context.Response.StatusCode) { Content = new ByteArrayContent(body.ToArray()), RequestMessage = request };
            foreach (var (name, values) in context.Response.Headers)
            {
                if (!response.Headers.TryAddWithoutValidation(name, values.ToArray()))
                {
                    response.Content.Headers.TryAddWithoutValidation(name, values.ToArray());
                }
            }

            return response;
        }
    }
}
