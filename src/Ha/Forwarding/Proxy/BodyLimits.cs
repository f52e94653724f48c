using Ha.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Ha.Forwarding.Proxy;

/// <summary>The server's limits on a request body, for a node that only passes it on.</summary>
internal static class BodyLimits
{
    /// <summary>The limit on its size, or null when there is none.</summary>
    public static long? MaxLength(HttpContext context) =>
        context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize;

    /// <summary>
    /// True when somebody has begun to read the body. The server forbids to change the limit from then on; where it has no
    /// such limit, only a form that was read can be seen.
    /// </summary>
    public static bool WasRead(HttpContext context) =>
        context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.IsReadOnly ?? (context.Features.Get<IFormFeature>()?.Form is not null);

    /// <summary>
    /// Lifts what the leader decides by itself. The minimum data rate stays, because a slow client is as much a
    /// threat here as there, and while the leader is the slow one Kestrel does not count; but a gRPC stream may be
    /// silent for hours, and its services lift that limit on the leader too.
    /// </summary>
    public static void Lift(HttpContext context)
    {
        SetMaxLength(context, length: null);
        if (HaProblem.IsGrpc(context.Request) && context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }
    }

    /// <summary>Puts the size limit back, as long as nothing of the body was read.</summary>
    public static void SetMaxLength(HttpContext context, long? length)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = length;
        }
    }
}
