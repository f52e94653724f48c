using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Ha.Cli.Cluster;
using Ha.Cli.Processes;
using Ha.Tests.Processes;
using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.Endpoints.GrpcHealth;

/// <summary>Three processes behind TLS, which carries heartbeats and gRPC on one port, known to clients as <see cref="Name"/>.</summary>
internal sealed class EchoCluster : IAsyncDisposable
{
    /// <summary>What clients may call each node beside its address.</summary>
    public const string Name = "shop.example";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ha-grpc-");
    private readonly ITestOutputHelper _output;
    private readonly string _lease;
    private readonly IReadOnlyDictionary<string, string?> _more;
    private readonly HttpClient _http;
    private readonly X509Certificate2 _certificate;

    /// <param name="output">Gets what the nodes have written.</param>
    /// <param name="verb">What runs on each node: a verb of this program.</param>
    /// <param name="lease">Short for one that is to be lost, long for one that must not be.</param>
    /// <param name="more">Variables beside these, or instead of them.</param>
    public EchoCluster(ITestOutputHelper output, string verb = EchoNode.Verb, string lease = "2s", IReadOnlyDictionary<string, string?>? more = null)
    {
        (_output, _lease, _more) = (output, lease, more ?? new Dictionary<string, string?>(StringComparer.Ordinal));
        _certificate = WriteCertificate();
        _http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions =
            {
                CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    CustomTrustStore = { _certificate },
                    RevocationMode = X509RevocationMode.NoCheck,
                },
            },
        });
        var ports = FreePorts.Find(3);
        var urls = ports.Select(port => $"https://127.0.0.1:{port}").ToArray();
        var echo = App.Assembly(typeof(EchoNode).Assembly.Location, verb);
        Nodes = [.. urls.Select((url, i) => new NodeProcess($"{(char)('a' + i)}", url, echo, Environment($"{(char)('a' + i)}", url, urls)))];
    }

    public X509Certificate2 Certificate => _certificate;

    public IReadOnlyList<NodeProcess> Nodes { get; }

    /// <summary>What clients are to trust.</summary>
    public string CertificateFile => Path.Combine(_folder.FullName, "node.pem");

    /// <summary>Starts the nodes and waits until all agree on a leader.</summary>
    /// <returns>The leader, then the others by their ids.</returns>
    public async Task<NodeProcess[]> StartAsync()
    {
        Array.ForEach([.. Nodes], node => node.Start());
        var leader = await LeaderAsync();
        return [.. Nodes.OrderByDescending(node => node == leader)];
    }

    /// <summary>Waits until all nodes agree on a leader.</summary>
    public Task<NodeProcess> LeaderAsync() => Eventually.NotNull(async () =>
    {
        var answers = await Task.WhenAll(Nodes.Select(LeaderAsync));
        return Nodes.FirstOrDefault(node => answers.All(answer => answer?.NodeId == node.Id));
    }, TimeSpan.FromSeconds(60), "one leader");

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Nodes.Select(node => node.StopAsync(TimeSpan.Zero)));
        foreach (var node in Nodes)
        {
            _output.WriteLine($"--- node {node.Id}, pid {node.Pid}, exit code {node.ExitCode}\n{string.Join('\n', node.Output.TakeLast(40))}");
        }

        _http.Dispose();
        _certificate.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task<LeaderAnswer?> LeaderAsync(NodeProcess node)
    {
        try
        {
            return LeaderAnswer.Parse(await _http.GetStringAsync($"{node.Url}/_ha/leader"));
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>Starts a node whose process has ended, and waits until it takes requests.</summary>
    public async Task StartAgainAsync(NodeProcess node)
    {
        await node.WhenDead.WaitAsync(TimeSpan.FromSeconds(60));
        node.Start();
        await Eventually.True(async () =>
        {
            try
            {
                using var answer = await _http.GetAsync($"{node.Url}/_ha/healthz/ready?leader=known");
                return answer.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, TimeSpan.FromSeconds(60), $"{node.Id} is ready");
    }

    private Dictionary<string, string?> Environment(string id, string url, string[] urls)
    {
        var environment = Variables(id, url, urls);
        foreach (var (key, value) in _more)
        {
            environment[key] = value;
        }

        return environment;
    }

    private Dictionary<string, string?> Variables(string id, string url, string[] urls) => new(StringComparer.Ordinal)
    {
        ["BASE_NODE_ID"] = id,
        ["BASE_LOCAL_TARGET"] = url,
        ["BASE_PEERS"] = string.Join(',', urls),
        ["BASE_CLUSTER_SECRET"] = "a-secret-for-the-tests-only",
        ["BASE_HEARTBEAT_INTERVAL"] = "200ms",

        // A leader that starts beside much else is late, and must not lose leadership between two steps of a test.
        ["BASE_LEASE_TIMEOUT"] = _lease,
        ["BASE_PREEMPT"] = "never",
        ["BASE_FORWARD_MODE"] = "proxy",
        ["Kestrel__Certificates__Default__Path"] = CertificateFile,
        ["Kestrel__Certificates__Default__KeyPath"] = Path.Combine(_folder.FullName, "node.key"),

        // What OpenSSL trusts, for the heartbeats.
        ["SSL_CERT_FILE"] = CertificateFile,
    };

    private X509Certificate2 WriteCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddDnsName(Name);
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        File.WriteAllText(CertificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_folder.FullName, "node.key"), key.ExportPkcs8PrivateKeyPem());
        return X509CertificateLoader.LoadCertificate(certificate.RawData);
    }
}
