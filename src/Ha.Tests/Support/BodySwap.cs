using Microsoft.AspNetCore.Http;

namespace Ha.Tests.Support;

/// <summary>A middleware as it stands in many an application, to log answers or to rewrite them.</summary>
internal static class BodySwap
{
    public static async Task RunAsync(HttpContext context, RequestDelegate next)
    {
        var original = context.Response.Body;
        using var kept = new MemoryStream();
        context.Response.Body = kept;
        try
        {
            await next(context);
        }
        finally
        {
            context.Response.Body = original;
        }

        kept.Position = 0;
        await kept.CopyToAsync(original);
    }
}
