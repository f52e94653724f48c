using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Ha.Forwarding.Proxy;

/// <summary>
/// How header values become bytes. The bytes have to pass through this node as they are, so what its server has decoded
/// is encoded in the same way again, and what the handler decodes is what its server will encode.
/// </summary>
/// <param name="server">Its two selectors count; a server other than Kestrel has their defaults.</param>
internal sealed class HeaderEncodings(KestrelServerOptions server)
{
    /// <summary>Kestrel reads requests as UTF-8 where the application has not said otherwise.</summary>
    public Encoding Request(string name) => server.RequestHeaderEncodingSelector(name) ?? Encoding.UTF8;

    /// <summary>Kestrel writes nothing but ASCII where the application has not said otherwise; Latin-1 keeps every byte.</summary>
    public Encoding Answer(string name) => server.ResponseHeaderEncodingSelector(name) ?? Encoding.Latin1;
}
