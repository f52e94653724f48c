using Ha.Http;
using Microsoft.AspNetCore.Http;

namespace Ha.Forwarding.Local;

/// <summary>
/// On a request that came to <c>UseHa()</c>: that it is a write, or that its endpoint's metadata was read there. What is
/// answered without ran on whichever node was asked.
/// </summary>
internal sealed class SeenMark
{
    private static readonly SeenMark _write = new();

    /// <summary>Costs no allocation of its own.</summary>
    /// <param name="context">The request.</param>
    /// <param name="endpoint">What is known of its endpoint; a guarded one has a mark among its metadata.</param>
    public static void Leave(HttpContext context, Endpoint? endpoint)
    {
        var mark = endpoint?.Metadata.GetMetadata<SeenMark>() ?? (WriteMethods.Contains(context.Request.Method) ? _write : null);
        if (mark is not null)
        {
            context.Features.Set(mark);
        }
    }

    public static bool IsMissing(HttpContext context) => context.Features.Get<SeenMark>() is null;

    /// <summary>True on a request whose endpoint, with this mark, was read.</summary>
    public bool IsOn(HttpContext context) => ReferenceEquals(context.Features.Get<SeenMark>(), this);
}
