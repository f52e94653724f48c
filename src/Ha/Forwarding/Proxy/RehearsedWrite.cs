using Microsoft.AspNetCore.Http;

namespace Ha.Forwarding.Proxy;

/// <summary>A write that no client has sent, for code that must have run before one does. Its answer goes nowhere.</summary>
internal static class RehearsedWrite
{
    private static readonly byte[] _body = "{}"u8.ToArray();

    /// <param name="path">What it asks for.</param>
    public static HttpContext Create(string path)
    {
        var context = new DefaultHttpContext();
        var request = context.Request;
        (request.Method, request.Path, request.Protocol, request.Scheme) = (HttpMethods.Post, path, HttpProtocol.Http11, "http");
        request.Host = new HostString("ha.invalid");
        (request.ContentType, request.ContentLength, request.Body) = ("application/json", _body.Length, new MemoryStream(_body));
        return context;
    }
}
