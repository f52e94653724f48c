using System.Text;
using Ha.Security;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints;

/// <summary>
/// Compares credentials with <c>BASE_ADMIN_TOKEN</c>. Takes a new one from its file while the node runs. Thread-safe.
/// </summary>
internal sealed class AdminToken
{
    private HashedToken? _token;

    public AdminToken(EndpointSources sources)
    {
        _token = sources.Settings.AdminToken?.AtStart;
        sources.Settings.AdminToken?.Watch(
            sources.Clock, Renew, problems => sources.Log.AdminTokenRefused(string.Join(' ', problems)), sources.Stopping);

        void Renew(HashedToken token)
        {
            Volatile.Write(ref _token, token);
            sources.Log.AdminTokenReplaced();
        }
    }

    public bool IsConfigured => _token is not null;

    /// <summary>The token as <c>Authorization: Bearer</c>, which no browser adds by itself.</summary>
    public bool AllowsAction(HttpRequest request) =>
        Credentials(request, "Bearer ") is { } given && Matches(given);

    /// <summary>As bearer token, or as the password of <c>Authorization: Basic</c> with any user name.</summary>
    public bool AllowsReading(HttpRequest request) =>
        AllowsAction(request) || (Credentials(request, "Basic ") is { } basic && Password(basic) is { } given && Matches(given));

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

    private bool Matches(string given) => Volatile.Read(ref _token)?.Matches(given) == true;
}
