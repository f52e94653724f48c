using System.Diagnostics.CodeAnalysis;

namespace Ha.Http;

/// <summary>
/// The one spelling of a node's base URL: lower-case scheme and host, default port dropped, nothing after the
/// authority. Members compare URLs as strings, so every URL passes through here before it is stored or sent.
/// </summary>
internal static class TargetUrl
{
    /// <summary>Longest URL that is accepted; it travels in headers and in every heartbeat.</summary>
    public const int MaxLength = 512;

    private const string IsToListenOn =
        "is an address to listen on, not one that others can connect to; write this node's name or IP address";

    /// <param name="value">A base URL as a person wrote it.</param>
    /// <param name="normalised">The URL to store, compare and send; empty on failure.</param>
    /// <param name="error">What is wrong and what to write instead, as a clause that follows the value.</param>
    public static bool TryNormalise(string? value, out string normalised, [NotNullWhen(false)] out string? error)
    {
        normalised = "";
        var text = value?.Trim() ?? "";
        error = Refuse(text, out var uri);
        if (error is not null)
        {
            return false;
        }

        // IdnHost is lower-case, punycode for names, and an IPv6 address without its brackets.
        var host = uri!.HostNameType == UriHostNameType.IPv6 ? $"[{uri.IdnHost}]" : uri.IdnHost.ToLowerInvariant();
        normalised = uri.IsDefaultPort ? $"{uri.Scheme}://{host}" : $"{uri.Scheme}://{host}:{uri.Port}";
        return true;
    }

    public static bool IsNormalised(string url) => TryNormalise(url, out var normalised, out _) && url == normalised;

    /// <summary>The value for a message: a URL may carry a password, and messages end up in logs.</summary>
    public static string Redact(string value)
    {
        var at = value.LastIndexOf('@');
        if (at < 0)
        {
            return value;
        }

        var scheme = value.IndexOf("://", StringComparison.Ordinal);
        return scheme >= 0 && scheme < at ? $"{value[..(scheme + 3)]}***{value[at..]}" : $"***{value[at..]}";
    }

    private static string? Refuse(string text, out Uri? uri)
    {
        uri = null;
        if (text.Length == 0)
        {
            return "is empty; write a URL such as http://node-1:8080";
        }

        if (text.Length > MaxLength)
        {
            return $"is longer than {MaxLength} characters";
        }

        if (!text.StartsWith("http://", StringComparison.OrdinalIgnoreCase) &&
            !text.StartsWith("https://", StringComparison.OrdinalIgnoreCase))
        {
            return text.Contains("://", StringComparison.Ordinal)
                ? "has a scheme that is not http or https"
                : $"has no scheme; write http://{(IsPlainAuthority(text) ? text : "node-1:8080")} or the https form";
        }

        if (text.Contains(';', StringComparison.Ordinal))
        {
            return "holds a semicolon; write one URL, or commas between those of a list";
        }

        if (text.Any(c => char.IsWhiteSpace(c) || char.IsControl(c)))
        {
            return "contains white space or a control character; write the URL and nothing after it";
        }

        if (text.Contains('@', StringComparison.Ordinal))
        {
            return "carries a user name or password; leave only scheme, host and port";
        }

        // Servers know these hosts, and a Uri does not.
        if (text[(text.IndexOf("://", StringComparison.Ordinal) + 3)..] is ['*' or '+', ..])
        {
            return IsToListenOn;
        }

        if (!Uri.TryCreate(text, UriKind.Absolute, out uri) || !HasHost(uri))
        {
            return "is not a valid URL; write scheme, host and port, such as http://node-1:8080";
        }

        return RefuseParts(text, uri);
    }

    private static string? RefuseParts(string text, Uri uri)
    {
        if (uri.AbsolutePath is not "/" || text.AsSpan().ContainsAny("?#"))
        {
            return $"has something after the host and port; nodes are addressed from the root, so write {uri.GetLeftPart(UriPartial.Authority)}";
        }

        if (uri.Port == 0)
        {
            return "has port 0; write the port that others connect to";
        }

        return uri.IdnHost is "0.0.0.0" or "::" || uri.IdnHost.Contains('%', StringComparison.Ordinal)
            ? IsToListenOn
            : null;
    }

    // The host's ASCII form is made only when it is asked for, and not every host has one.
    private static bool HasHost(Uri uri)
    {
        try
        {
            return uri.IdnHost.Length > 0;
        }
        catch (UriFormatException)
        {
            return false;
        }
    }

    private static bool IsPlainAuthority(string text) =>
        text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or ':' or '[' or ']');
}
