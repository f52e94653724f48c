using Ha.Hosting;
using Ha.Security;
using Ha.Telemetry;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;

namespace Ha.Tests.Security.Tls;

/// <summary>The three files of one node, which change under it.</summary>
internal sealed class NodeFiles
{
    private readonly string _ca;
    private readonly string _key;

    /// <param name="folder">Keeps the files.</param>
    /// <param name="ca">The first authority.</param>
    /// <param name="own">The first certificate.</param>
    public NodeFiles(string folder, string ca, IssuedCertificate own)
    {
        _ca = Path.Combine(folder, "node-ca.pem");
        Certificate = Path.Combine(folder, "node.crt");
        _key = Path.Combine(folder, "node.key");
        Put(ca, own);
    }

    public string Certificate { get; }

    public void Put(string ca, IssuedCertificate own)
    {
        Replace(ca, _ca);
        Replace(own.File, Certificate);
        Replace(own.KeyFile, _key);
    }

    public NodeTls Open(RecordedLogs logs)
    {
        var settings = TestSettings.From(o => (o.CaFile, o.ClientCertFile, o.ClientKeyFile) = (_ca, Certificate, _key));
        return HaNodeFactory.CreateTls(settings, new ElectionTelemetry(logs, new HaMetrics(), TimeProvider.System));
    }

    // In one go, like every tool that renews certificates.
    private static void Replace(string from, string to)
    {
        File.Copy(from, to + ".new", overwrite: true);
        File.Move(to + ".new", to, overwrite: true);
    }
}
