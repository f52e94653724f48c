using System.Net;

namespace Ha.Forwarding;

/// <summary>One request to the leader, which knows whether any byte of it can have left.</summary>
internal sealed class ForwardMessage : HttpRequestMessage
{
    /// <summary>
    /// False: it never got as far as a connection, so provably nothing was executed. True: it may have been sent.
    /// </summary>
    public bool MayHaveBeenSent { get; private set; }

    /// <summary>
    /// Called by the handler for every header that it writes to a connection.
    /// </summary>
    /// <remarks>
    /// <c>SocketsHttpHandler</c> by itself sends a request again, up to three times, when its connection closes
    /// before the answer and it has not begun to send a body: with no content object, and also with one that waits
    /// behind <c>Expect: 100-continue</c>. A leader that executed the write and died would have it executed again.
    /// So the second time that this request's headers are about to be written over HTTP/1.1 is refused here. Over
    /// HTTP/2 it repeats only what the peer has declared unprocessed (RFC 9113 section 8.7), which is fine.
    /// </remarks>
    public void OnHeaderWritten(string name)
    {
        if (!string.Equals(name, HaHeaders.ForwardedBy, StringComparison.Ordinal))
        {
            return;
        }

        if (MayHaveBeenSent && Version < HttpVersion.Version20)
        {
            throw new IOException("The connection closed before the answer came; the request is not sent twice.");
        }

        MayHaveBeenSent = true;
    }
}
