using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Hosting;

/// <summary>Real hosts on loopback. Each socket is bound before any host starts, so nobody can take a port away.</summary>
internal sealed class KestrelCluster : IAsyncDisposable
{
    private readonly List<Socket> _sockets = [];
    private readonly TestAuthority? _authority;
    private readonly HttpProtocols _protocols;

    /// <param name="nodeIds">One node each, in this order.</param>
    /// <param name="variables">Settings of all nodes, over those of a quick cluster.</param>
    /// <param name="build">Services of each node.</param>
    /// <param name="authority">Not null: everybody shows a certificate of this authority to everybody else.</param>
    /// <param name="protocols">What the listeners take; without TLS HTTP/1.1 goes before HTTP/2.</param>
    public KestrelCluster(
        string[] nodeIds,
        IEnumerable<(string Key, string? Value)>? variables = null,
        Action<WebApplicationBuilder>? build = null,
        TestAuthority? authority = null,
        HttpProtocols protocols = HttpProtocols.Http1AndHttp2)
    {
        (_authority, _protocols) = (authority, protocols);
        foreach (var _ in nodeIds)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _sockets.Add(socket);
        }

        Nodes = [.. nodeIds.Select((id, i) => new Node(id, Url(i), Create(id, i, variables ?? [], build), ClientTls()))];
    }

    public IReadOnlyList<Node> Nodes { get; }

    public Node Leader => Nodes.Single(node => node.Provider.IsLeader);

    public async Task StartAsync()
    {
        foreach (var node in Nodes)
        {
            node.App.MapGet("/notes", () => node.Id);
            node.App.MapPost("/notes", () => Microsoft.AspNetCore.Http.Results.Created("/notes/1", node.Id));
            await node.App.StartAsync();
        }
    }

    public Task HasLeaderAsync(string id) =>
        Eventually.True(() => Nodes.Where(node => !node.Stopped).All(node => node.Provider.Current.LeaderId == id));

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Nodes.Select(node => node.DisposeAsync().AsTask()));
        _sockets.ForEach(socket => socket.Dispose());
    }

    private string Url(int i) => $"{(_authority is null ? "http" : "https")}://{_sockets[i].LocalEndPoint}";

    private SslClientAuthenticationOptions ClientTls() => _authority is null ? new() : new()
    {
        CertificateChainPolicy = TestAuthority.Policy(_authority.Root),
        ClientCertificates = [_authority.Issue("client").Load()],
    };

    private void Listen(ListenOptions endpoint)
    {
        endpoint.Protocols = _protocols;
        if (_authority is { } authority)
        {
            endpoint.UseHttps(https =>
            {
                https.ServerCertificate = authority.Issue("127.0.0.1").Load();
                https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
                https.OnAuthenticate = (_, ssl) => ssl.CertificateChainPolicy = TestAuthority.Policy(authority.Root);
            });
        }
    }

    private IEnumerable<(string Key, string? Value)> TlsVariables()
    {
        if (_authority is null)
        {
            return [];
        }

        var own = _authority.Issue("node");
        return [("BASE_CA_FILE", _authority.File), ("BASE_CLIENT_CERT_FILE", own.File), ("BASE_CLIENT_KEY_FILE", own.KeyFile)];
    }

    private WebApplication Create(string id, int i, IEnumerable<(string Key, string? Value)> variables, Action<WebApplicationBuilder>? build)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Configuration.AddInMemoryCollection(
            new (string Key, string? Value)[]
            {
                ("BASE_NODE_ID", id),
                ("BASE_LOCAL_TARGET", Url(i)),
                ("BASE_PEERS", string.Join(',', _sockets.Select((_, at) => Url(at)))),
                ("BASE_CLUSTER_SECRET", "a-secret-for-the-tests-only"),
                ("BASE_HEARTBEAT_INTERVAL", "200ms"),
                // Long enough for a machine that runs other tests: leadership must not move while one looks at it.
                ("BASE_LEASE_TIMEOUT", "3s"),
            }.Concat(TlsVariables()).Concat(variables).GroupBy(v => v.Key, StringComparer.Ordinal).Select(same => KeyValuePair.Create(same.Key, same.Last().Value)));
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().UseSockets(sockets => sockets.CreateBoundListenSocket = _ => _sockets[i]);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, Listen));
        builder.Services.AddRoutingCore();
        builder.Logging.ClearProviders();
        builder.Services.AddHa();
        build?.Invoke(builder);
        return builder.Build();
    }

    internal sealed class Node(string id, string url, WebApplication app, SslClientAuthenticationOptions tls) : IAsyncDisposable
    {
        public string Id { get; } = id;

        public string Url { get; } = url;

        public WebApplication App { get; } = app;

        public bool Stopped { get; private set; }

        public ILeaderProvider Provider { get; } = app.Services.GetRequiredService<ILeaderProvider>();

        public HttpClient Client { get; } = new(new SocketsHttpHandler { AllowAutoRedirect = false, SslOptions = tls }) { BaseAddress = new Uri(url) };

        public Task<HttpResponseMessage> PostAsync(string path) =>
            Client.PostAsync(new Uri(path, UriKind.Relative), new StringContent("""{"text":"x"}"""));

        public Task<HttpResponseMessage> GetAsync(string path) => Client.GetAsync(new Uri(path, UriKind.Relative));

        public async Task StopAsync()
        {
            Stopped = true;
            await App.StopAsync();
        }

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            await App.DisposeAsync();
        }
    }
}
