namespace Ha.Tests.OnTheWire;

/// <summary>What a client speaks.</summary>
public enum Dialect
{
    /// <summary>HTTP/1.1, one request after the other on one connection.</summary>
    KeepAlive,

    /// <summary>HTTP/1.1 with <c>Connection: close</c>.</summary>
    Close,

    /// <summary>HTTP/1.0.</summary>
    Http10,

    /// <summary>HTTP/2 without TLS.</summary>
    Http2,
}
