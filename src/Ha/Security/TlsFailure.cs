using System.Security.Authentication;

namespace Ha.Security;

/// <summary>Says in words that help why a handshake failed; the runtime's own name a status and no remedy.</summary>
internal static class TlsFailure
{
    private const string OfAnUnknownAuthority = "its certificate comes from an authority that ";

    private static readonly (string Status, string Words)[] _known =
    [
        ("RemoteCertificateNameMismatch", "its certificate is for another host than the one in its URL"),
        ("NotTimeValid", "its certificate has ended or not begun yet"),
        ("NotValidForUsage", "its certificate is not for servers (extendedKeyUsage serverAuth)"),
        ("UntrustedRoot", OfAnUnknownAuthority),
        ("PartialChain", OfAnUnknownAuthority),
        ("NotSignatureValid", "its certificate is not signed by the authority that it names"),
        ("Cannot determine the frame size", "it speaks no TLS at that port; write http:// there, or give it a listener with TLS"),
    ];

    /// <param name="failure">What the client threw.</param>
    /// <param name="distrust">Who does not trust the peer's authority, and the remedy.</param>
    /// <returns>A clause about the peer; null when it is not about a handshake.</returns>
    public static string? Explain(
        Exception failure, string distrust = "this node does not trust; BASE_CA_FILE must hold that authority")
    {
        for (var cause = failure; cause is not null; cause = cause.InnerException)
        {
            if (cause is AuthenticationException { InnerException: null, Message: var message })
            {
                var (status, words) = Array.Find(_known, known => message.Contains(known.Status, StringComparison.Ordinal));
                return status is null ? message.TrimEnd('.')
                    : $"{words}{(words == OfAnUnknownAuthority ? distrust : "")} ({status})";
            }
        }

        return null;
    }
}
