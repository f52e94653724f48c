using System.Net;
using Ha.Http;

namespace Ha.Forwarding.Proxy;

/// <summary>One request to the leader, which knows whether any byte of it can have left.</summary>
internal sealed class ForwardMessage : HttpRequestMessage
{
    /// <summary>
    /// False: it never got as far as a connection, so provably nothing was executed. True: it may have been sent.
    /// </summary>
    public bool MayHaveBeenSent { get; private set; }

    /// <summary>True: it was sent, and the leader declared that it did not process it (RFC 9113 section 8.7).</summary>
    public bool WasDeclined { get; private set; }

    /// <summary>
    /// Called by the handler for every header that it writes to a connection.
    /// </summary>
    /// <remarks>
    /// <c>SocketsHttpHandler</c> by itself sends a request again, up to three times, when its connection closes
    /// before the answer and it has not begun to send a body: with no content object, and also with one that waits
    /// behind <c>Expect: 100-continue</c>. A leader that executed the write and died would have it executed again.
    /// Over HTTP/2 it repeats only what the peer has declared unprocessed, but the body is taken from where the first
    /// copy, which may still run, has left it. So the second time that this request's headers are about to be written is
    /// refused here: whether to send a write again, and with what body, is decided in one place, and it is not this one.
    /// </remarks>
    public void OnHeaderWritten(string name)
    {
        if (!string.Equals(name, HaHeaders.ForwardedBy, StringComparison.Ordinal))
        {
            return;
        }

        if (MayHaveBeenSent)
        {
            WasDeclined = Version >= HttpVersion.Version20;
            throw new IOException("The connection closed before the answer came; the request is not sent twice.");
        }

        MayHaveBeenSent = true;
    }
}
