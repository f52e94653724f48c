using System.Security.Cryptography;
using System.Text;

namespace Ha.Endpoints.StatusPage;

/// <summary>The page's own style and script, and the policy that allows these two and nothing else.</summary>
internal static class StatusAssets
{
    public static readonly string Style = Read("status.css");

    public static readonly string Script = Read("status.js");

    /// <summary>Hashes instead of a nonce: the texts are constant, and so the header is.</summary>
    public static readonly string ContentSecurityPolicy =
        $"default-src 'none'; style-src {Source(Style)}; script-src {Source(Script)}; connect-src 'self'; " +
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static string Source(string text) =>
        $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}'";

    private static string Read(string name)
    {
        using var stream = typeof(StatusAssets).Assembly.GetManifestResourceStream($"Ha.StatusPage.{name}")!;
        using var reader = new StreamReader(stream, Encoding.UTF8);

        // A browser turns CRLF into LF before it hashes.
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
