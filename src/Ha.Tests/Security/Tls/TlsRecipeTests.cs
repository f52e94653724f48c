using System.ComponentModel;
using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using Ha.Heartbeat;
using Ha.Http;
using Ha.Security;
using Ha.Tests.Heartbeat;
using Ha.Tests.Security.Signing;
using Ha.Tests.Support;
using Ha.Tests.Telemetry;

namespace Ha.Tests.Security.Tls;

/// <summary>The commands in docs/configuration.md that make certificates, as they stand there.</summary>
public sealed partial class TlsRecipeTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ha-tls-recipe-");

    public void Dispose() => _folder.Delete(recursive: true);

    [FactIfOpenssl]
    public async Task The_commands_make_certificates_that_two_nodes_talk_with()
    {
        var recipe = Recipe().Match(Repository.Read("docs/configuration.md")).Groups["script"].Value;
        Assert.Contains("san=DNS:node-1", recipe, StringComparison.Ordinal);
        await RunAsync(recipe.Replace("DNS:node-1", "IP:127.0.0.1", StringComparison.Ordinal));

        var own = new IssuedCertificate(InFolder("node-1.crt"), InFolder("node-1.key"));
        using var root = X509CertificateLoader.LoadCertificateFromFile(InFolder("ca.crt"));
        await using var peer = await TlsPeer.StartAsync(own.Load(), root);
        using var logs = new RecordedLogs();
        using var tls = new NodeFiles(_folder.FullName, InFolder("ca.crt"), own).Open(logs);
        using var addresses = new MemberAddresses();
        using var handler = PeerHandler.Create(TimeSpan.FromSeconds(30), tls, addresses);
        using var client = new PeerClient(handler, new KeySource(Rings.Old));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));

        Assert.Equal("", (await client.SendAsync(peer.Url, Beats.Request(), limit.Token)).Detail);
    }

    private string InFolder(string name) => Path.Combine(_folder.FullName, name);

    private async Task RunAsync(string script)
    {
        using var bash = Process.Start(new ProcessStartInfo("bash", ["-euc", script])
        {
            WorkingDirectory = _folder.FullName,
            UseShellExecute = false,
            RedirectStandardError = true,
        })!;
        var said = await bash.StandardError.ReadToEndAsync();
        await bash.WaitForExitAsync();
        Assert.True(bash.ExitCode == 0, said);
    }

    [GeneratedRegex("```sh\\n(?<script>[^`]*-keyout ca\\.key[^`]*)```", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Recipe();
}

/// <summary>A fact that runs openssl 3 in bash, skipped with the reason where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactIfOpensslAttribute : FactAttribute
{
    private static readonly Lazy<string?> _obstacle = new(FindObstacle);

    public FactIfOpensslAttribute() => Skip = _obstacle.Value!;

    private static string? FindObstacle()
    {
        try
        {
            using var bash = Process.Start(new ProcessStartInfo("bash", ["-c", "openssl version"]) { UseShellExecute = false, RedirectStandardOutput = true })!;
            var version = bash.StandardOutput.ReadToEnd();
            bash.WaitForExit();
            return version.StartsWith("OpenSSL 3", StringComparison.Ordinal) ? null : "The recipe is untested here, it needs OpenSSL 3.";
        }
        catch (Win32Exception e)
        {
            return "The recipe is untested here: " + e.Message;
        }
    }
}
