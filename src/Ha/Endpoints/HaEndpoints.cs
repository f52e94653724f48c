using Ha.Http;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints;

/// <summary>Everything below <c>/_ha</c>. Unknown routes end here with 404 and never reach the app.</summary>
internal sealed class HaEndpoints(EndpointSources sources)
{
    private readonly AdminToken _admin = new(sources);
    private readonly InfoEndpoints _info = new(sources);
    private readonly HealthEndpoints _health = new(sources);
    private readonly ActionEndpoints _actions = new(sources);
    private readonly StatusPage.StatusPageEndpoint _page = new(sources);

    /// <param name="context">The request.</param>
    /// <param name="route">What follows <c>/_ha</c>.</param>
    public Task HandleAsync(HttpContext context, PathString route)
    {
        var headers = context.Response.Headers;
        headers.CacheControl = "no-store";
        headers.XContentTypeOptions = "nosniff";

        // As in ASP.NET Core's routing, case and a trailing slash make no difference.
        return (HaRoutes.Root + route.Value).TrimEnd('/').ToLowerInvariant() switch
        {
            HaRoutes.Root => sources.Settings.StatusPage ? ShowAsync(context, _page.HandleAsync) : NotFoundAsync(context),
            HaRoutes.Leader => ShowAsync(context, _info.LeaderAsync),
            HaRoutes.Peers => ShowAsync(context, _info.PeersAsync),
            HaRoutes.Health => AliveAsync(context),
            HaRoutes.HealthLeader => ReadAsync(context, _health.LeaderAsync),
            HaRoutes.HealthReady => ReadAsync(context, _health.ReadyAsync),
            HaRoutes.StepDown => ActAsync(context, _actions.StepDownAsync),
            HaRoutes.Pause => ActAsync(context, _actions.PauseAsync),
            HaRoutes.Resume => ActAsync(context, _actions.ResumeAsync),
            HaRoutes.Heartbeat when sources.Heartbeat is { } heartbeat => BeatAsync(context, heartbeat),
            _ => NotFoundAsync(context),
        };
    }

    /// <summary>Several beats a second would drown everything else; heartbeats have their own instruments.</summary>
    private static Task BeatAsync(HttpContext context, RequestDelegate heartbeat)
    {
        Unrecorded.Make(context);
        return heartbeat(context);
    }

    private Task AliveAsync(HttpContext context)
    {
        // Nothing is forwarded here: with that mark it is a member that keeps its connection warm.
        if (sources.OwnAddress.Recognises(context.Request) || context.Request.Headers.ContainsKey(HaHeaders.ForwardedBy))
        {
            Unrecorded.Make(context);
        }

        return ReadAsync(context, HealthEndpoints.AliveAsync);
    }

    private static Task ReadAsync(HttpContext context, RequestDelegate handler) =>
        HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method)
            ? handler(context)
            : Answer.MethodNotAllowedAsync(context, "GET, HEAD");

    private static Task NotFoundAsync(HttpContext context) =>
        Answer.ProblemAsync(context, StatusCodes.Status404NotFound, "no such route");

    /// <summary>Routes that name members: for everyone, or with the admin token only.</summary>
    private Task ShowAsync(HttpContext context, RequestDelegate handler)
    {
        if (sources.Settings.PublicInfo)
        {
            return ReadAsync(context, handler);
        }

        if (!_admin.IsConfigured)
        {
            return NotFoundAsync(context);
        }

        // A browser's address bar has no bearer token; reading by password is safe from forged cross-site requests.
        return _admin.AllowsReading(context.Request)
            ? ReadAsync(context, handler)
            : Answer.UnauthorizedAsync(context, "Bearer realm=\"ha\"", "Basic realm=\"ha\", charset=\"UTF-8\"");
    }

    /// <summary>Routes that change something: with the admin token only.</summary>
    private Task ActAsync(HttpContext context, RequestDelegate handler)
    {
        if (!_admin.IsConfigured)
        {
            return NotFoundAsync(context);
        }

        if (!HttpMethods.IsPost(context.Request.Method))
        {
            return Answer.MethodNotAllowedAsync(context, "POST");
        }

        return _admin.AllowsAction(context.Request)
            ? handler(context)
            : Answer.UnauthorizedAsync(context, "Bearer realm=\"ha\"");
    }
}
