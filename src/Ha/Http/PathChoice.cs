using Microsoft.AspNetCore.Http;

namespace Ha.Http;

/// <summary>
/// On a request: what <c>BASE_FORWARD_NEVER</c> or <c>BASE_FORWARD_ALWAYS</c> says of it. Its path counts as it came, before anything
/// of the application runs: later it may hold what a client wrote into <c>X-Forwarded-Prefix</c>, or what a rewrite made of it, and a
/// write would run on any node for it.
/// </summary>
internal sealed class PathChoice
{
    private static readonly PathChoice _anyNode = new(NodeChoice.AnyNode);
    private static readonly PathChoice _leaderOnly = new(NodeChoice.LeaderOnly);

    private readonly NodeChoice _choice;

    private PathChoice(NodeChoice choice) => _choice = choice;

    /// <summary>To be called before anything of the application.</summary>
    public static void Leave(HttpContext context, PathPrefixes prefixes)
    {
        // A server that is mounted below a path has taken it off already.
        var request = context.Request;
        var choice = prefixes.ChoiceFor(request.PathBase.HasValue ? request.PathBase.Add(request.Path) : request.Path);
        if (choice != NodeChoice.ByMethod)
        {
            context.Features.Set(choice == NodeChoice.AnyNode ? _anyNode : _leaderOnly);
        }
    }

    /// <summary>What holds where the endpoint says nothing itself.</summary>
    public static NodeChoice Of(HttpContext context)
    {
        // What a browser asks before a request, and a trace, is about the node that is asked.
        var method = context.Request.Method;
        return HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method)
            ? NodeChoice.ByMethod
            : context.Features.Get<PathChoice>()?._choice ?? NodeChoice.ByMethod;
    }
}
