using System.Security.Cryptography;
using System.Text;
using Ha.Configuration;
using Ha.Security;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints;

/// <summary>
/// Compares credentials with <c>BASE_ADMIN_TOKEN</c> in a time that tells nothing about either. Takes a new one from its
/// file while the node runs. Thread-safe.
/// </summary>
internal sealed class AdminToken(string? token)
{
    // Hashes have one length, so not even the token's length shows.
    private byte[]? _hash = token is null ? null : Hash(token);

    public static AdminToken Watch(EndpointSources sources)
    {
        var admin = new AdminToken(sources.Options.AdminToken);
        if (sources.Options.AdminTokenFile is { } path)
        {
            FileWatch.Start([path], sources.Clock, texts => admin.Reload(sources, path, texts[0]), sources.Stopping);
        }

        return admin;
    }

    public bool IsConfigured => _hash is not null;

    /// <summary>The token as <c>Authorization: Bearer</c>, which no browser adds by itself.</summary>
    public bool AllowsAction(HttpRequest request) =>
        Credentials(request, "Bearer ") is { } given && Matches(given);

    /// <summary>As bearer token, or as the password of <c>Authorization: Basic</c> with any user name.</summary>
    public bool AllowsReading(HttpRequest request) =>
        AllowsAction(request) || (Credentials(request, "Basic ") is { } basic && Password(basic) is { } given && Matches(given));

    private void Reload(EndpointSources sources, string path, SecretText text)
    {
        var problems = new List<string>();
        var changed = SecretFiles.AdminToken(path, text, problems);
        SecretRules.CheckAdminToken(sources.Options, changed, problems);
        if (problems.Count > 0)
        {
            sources.Log.AdminTokenRefused(string.Join(' ', problems));
        }
        else if (!Matches(changed!))
        {
            Volatile.Write(ref _hash, Hash(changed!));
            sources.Log.AdminTokenReplaced();
        }
    }

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    private static string? Credentials(HttpRequest request, string scheme)
    {
        var header = request.Headers.Authorization;
        return header.Count == 1 && header[0] is { } value && value.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)
            ? value[scheme.Length..].Trim()
            : null;
    }

    private static string? Password(string basic)
    {
        var bytes = new byte[basic.Length];
        if (!Convert.TryFromBase64String(basic, bytes, out var length))
        {
            return null;
        }

        var pair = Encoding.UTF8.GetString(bytes, 0, length);
        var colon = pair.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? null : pair[(colon + 1)..];
    }

    private bool Matches(string given) => CryptographicOperations.FixedTimeEquals(Hash(given), Volatile.Read(ref _hash));
}
