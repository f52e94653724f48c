using Microsoft.AspNetCore.Http;

namespace Ha.Http;

/// <summary>
/// The right to say <c>X-Base-Not-Executed</c>. Another node sends a write again when it sees the header, so an
/// application that sets it by accident would have its writes executed twice: the header goes out only together
/// with this feature, which nothing outside the assembly can name.
/// </summary>
internal sealed class NotExecutedMark
{
    private static readonly NotExecutedMark _instance = new();

    private NotExecutedMark()
    {
    }

    /// <summary>Marks the response of this request, which must not have started.</summary>
    public static void Set(HttpContext context)
    {
        context.Features.Set(_instance);
        context.Response.Headers[HaHeaders.NotExecuted] = "1";
    }

    /// <summary>For <c>Response.OnStarting</c>: removes a header that the middleware did not set.</summary>
    public static void StripForeign(HttpContext context)
    {
        var headers = context.Response.Headers;
        if (headers.ContainsKey(HaHeaders.NotExecuted) && context.Features.Get<NotExecutedMark>() is null)
        {
            headers.Remove(HaHeaders.NotExecuted);
        }
    }
}
