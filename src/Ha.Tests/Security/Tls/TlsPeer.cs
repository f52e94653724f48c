using System.Net;
using System.Security.Cryptography.X509Certificates;
using Ha.Heartbeat;
using Ha.Security;
using Ha.Tests.Heartbeat;
using Ha.Tests.Security.Signing;
using Ha.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;

namespace Ha.Tests.Security.Tls;

/// <summary>A heartbeat endpoint that asks for a client certificate.</summary>
internal sealed class TlsPeer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _requests;

    private TlsPeer(WebApplication app) => _app = app;

    public string Url => _app.Urls.Single();

    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Serial number of the certificate that came last.</summary>
    public string? LastClient { get; private set; }

    public static Task<TlsPeer> StartAsync(TestAuthority authority, string name, bool expired = false) =>
        StartAsync(authority.Issue(name, expired: expired).Load(), authority.Root);

    /// <param name="certificate">Shown to clients.</param>
    /// <param name="root">What clients must come from.</param>
    public static async Task<TlsPeer> StartAsync(X509Certificate2 certificate, X509Certificate2 root)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, endpoint => endpoint.UseHttps(https =>
        {
            https.ServerCertificate = certificate;
            https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
            https.OnAuthenticate = (_, ssl) => ssl.CertificateChainPolicy = TestAuthority.Policy(root);
        })));
        var app = builder.Build();
        var peer = new TlsPeer(app);
        var endpoint = new HeartbeatEndpoint(new KeySource(Rings.Old), beat => Beats.Reply(seq: beat.Seq), TimeProvider.System);
        app.Run(context =>
        {
            Interlocked.Increment(ref peer._requests);
            peer.LastClient = context.Connection.ClientCertificate?.SerialNumber;
            return endpoint.HandleAsync(context);
        });
        await app.StartAsync();
        return peer;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
