using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Forwarding.Proxy;

/// <summary>A write that no client has sent, for code that must have run before one does. Its answer goes nowhere.</summary>
internal static class RehearsedWrite
{
    private static readonly byte[] _body = "{}"u8.ToArray();

    /// <param name="path">What it asks for.</param>
    public static HttpContext Create(string path)
    {
        var features = new FeatureCollection();
        features.Set<IHttpRequestFeature>(new OwnRequest());
        features.Set<IHttpResponseFeature>(new HttpResponseFeature());
        features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(Stream.Null));
        var context = new DefaultHttpContext(features);
        var request = context.Request;
        (request.Method, request.Path, request.Protocol, request.Scheme) = (HttpMethods.Post, path, HttpProtocol.Http11, "http");
        request.Host = new HostString("ha.invalid");
        (request.ContentType, request.ContentLength, request.Body) = ("application/json", _body.Length, new OwnBody());
        return context;
    }

    // Both of one assembly, as a server's are: or this would be taken for a body that a middleware has put into its place.
    private sealed class OwnRequest : HttpRequestFeature;

    private sealed class OwnBody() : MemoryStream(_body);
}
