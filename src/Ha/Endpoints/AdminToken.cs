using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints;

/// <summary>Compares credentials with <c>BASE_ADMIN_TOKEN</c> in a time that tells nothing about either. Thread-safe.</summary>
internal sealed class AdminToken(string? token)
{
    // Hashes have one length, so not even the token's length shows.
    private readonly byte[]? _hash = token is null ? null : Hash(token);

    public bool IsConfigured => _hash is not null;

    /// <summary>The token as <c>Authorization: Bearer</c>, which no browser adds by itself.</summary>
    public bool AllowsAction(HttpRequest request) =>
        Credentials(request, "Bearer ") is { } given && Matches(given);

    /// <summary>As bearer token, or as the password of <c>Authorization: Basic</c> with any user name.</summary>
    public bool AllowsReading(HttpRequest request) =>
        AllowsAction(request) || (Credentials(request, "Basic ") is { } basic && Password(basic) is { } given && Matches(given));

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

    private bool Matches(string given) => CryptographicOperations.FixedTimeEquals(Hash(given), _hash);
}
