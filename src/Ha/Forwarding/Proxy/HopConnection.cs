using System.Security.Cryptography.X509Certificates;
using Ha.Http;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Forwarding.Proxy;

/// <summary>
/// A request that another node has forwarded comes over that node's connection, which is not its caller's: its certificate
/// names the node, and what the server or a handler keeps with it (Negotiate keeps who has signed in) belongs to whoever was
/// forwarded before. None of that may speak for the caller.
/// </summary>
/// <remarks>
/// A client that makes up the mark of a forwarded request hides its own certificate, and no more.
/// </remarks>
internal static class HopConnection
{
    /// <summary>Hides what hangs on the connection and gives the method its spelling back. Call it before anything of the application runs.</summary>
    public static void Leave(HttpContext context)
    {
        var features = context.Features;
        if (features.Get<ITlsConnectionFeature>() is not null)
        {
            features.Set<ITlsConnectionFeature>(new NoCertificate());
        }

        var kept = new Kept();
        features.Set<IConnectionItemsFeature>(kept);
        features.Set<IPersistentStateFeature>(kept);
        if (features.Get<IConnectionUserFeature>() is not null)
        {
            features.Set<IConnectionUserFeature>(kept);
        }

        var request = context.Request;
        var method = request.Headers[HaHeaders.Method].ToString();
        if (string.Equals(method, request.Method, StringComparison.OrdinalIgnoreCase))
        {
            request.Method = method;
        }
    }

    private sealed class NoCertificate : ITlsConnectionFeature
    {
        public X509Certificate2? ClientCertificate { get; set; }

        public Task<X509Certificate2?> GetClientCertificateAsync(CancellationToken cancellationToken) => Task.FromResult(ClientCertificate);
    }

    private sealed class Kept : IConnectionItemsFeature, IPersistentStateFeature, IConnectionUserFeature
    {
        public IDictionary<object, object?> Items { get; set; } = new Dictionary<object, object?>();

        public IDictionary<object, object?> State { get; } = new Dictionary<object, object?>();

        public System.Security.Claims.ClaimsPrincipal? User { get; set; }
    }
}
