using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;

namespace Ha.Forwarding.Local;

/// <summary>
/// On a request that has been passed, run or taken elsewhere and has no answer yet. Its pipeline may run again, for an
/// error page; decided again it would be executed a second time, or called not executed although it was.
/// </summary>
/// <param name="path">What the request asked for the first time; null: it succeeded, so that no error page is due.</param>
/// <param name="passes">How often it came through.</param>
internal sealed class DecidedMark(PathString? path, int passes)
{
    private static readonly DecidedMark _succeeded = new(path: null, passes: 1);

    /// <summary>The mark of a request that comes again, or null.</summary>
    public static DecidedMark? Of(HttpContext context) => context.Features.Get<DecidedMark>();

    /// <summary>
    /// Whoever is through with a request says so. Costs nothing when the answer has begun: then nobody can give another.
    /// </summary>
    public static void Leave(HttpContext context)
    {
        if (!context.Response.HasStarted)
        {
            context.Features.Set(Of(context)?.Next() ?? new DecidedMark(context.Request.Path, passes: 1));
        }
    }

    /// <summary>The same for a request that returned without an exception. A success costs neither a look nor an allocation.</summary>
    public static void LeaveReturned(HttpContext context)
    {
        if (context.Response.StatusCode >= StatusCodes.Status400BadRequest)
        {
            Leave(context);
        }
        else if (!context.Response.HasStarted)
        {
            context.Features.Set(_succeeded);
        }
    }

    /// <summary>True after a second pass: what that one says of the write holds for itself only.</summary>
    public static bool CameAgain(HttpContext context) => Of(context)?.IsSecond == true;

    private bool IsSecond => passes > 1;

    /// <summary>
    /// True when an error page is wanted, which any node can give. False: some middleware tries the same again.
    /// </summary>
    public bool IsErrorPage(HttpContext context) =>
        (path is { } first && context.Request.Path != first)
        || context.Features.Get<IExceptionHandlerFeature>() is not null
        || context.Features.Get<IStatusCodeReExecuteFeature>() is not null;

    private DecidedMark Next() => new(path, passes + 1);
}
