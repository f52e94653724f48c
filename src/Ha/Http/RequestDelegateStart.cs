using Microsoft.AspNetCore.Http;

namespace Ha.Http;

internal static class RequestDelegateStart
{
    /// <summary>Calls it; what it throws at once is in the task, as if it had waited before.</summary>
    public static Task Start(this RequestDelegate next, HttpContext context)
    {
        try
        {
            return next(context);
        }
        catch (Exception thrown)
        {
            return Task.FromException(thrown);
        }
    }
}
