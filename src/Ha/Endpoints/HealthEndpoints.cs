using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints;

/// <summary><c>/_ha/healthz</c> and below, for load balancers and orchestrators.</summary>
internal sealed class HealthEndpoints(EndpointSources sources)
{
    private static readonly byte[] _ok = "ok\n"u8.ToArray();
    private static readonly byte[] _notLeader = "not leader\n"u8.ToArray();
    private static readonly byte[] _noLeader = "no leader\n"u8.ToArray();
    private static readonly byte[] _draining = "draining\n"u8.ToArray();
    private static readonly byte[] _quarantined = "quarantined\n"u8.ToArray();

    public static Task AliveAsync(HttpContext context) => TextAsync(context, StatusCodes.Status200OK, _ok);

    public Task LeaderAsync(HttpContext context) =>
        sources.Provider.IsLeader ? AliveAsync(context) : UnavailableAsync(context, _notLeader);

    public Task ReadyAsync(HttpContext context)
    {
        var snapshot = sources.Provider.Current;
        return ReadinessRule.Of(snapshot, sources.Stopping) switch
        {
            Readiness.Draining => UnavailableAsync(context, _draining),
            Readiness.Quarantined => UnavailableAsync(context, _quarantined),
            _ when NeedsLeader(context) && !snapshot.KnowsLeader => UnavailableAsync(context, _noLeader),
            _ => AliveAsync(context),
        };
    }

    private static bool NeedsLeader(HttpContext context) =>
        string.Equals(context.Request.Query["leader"], "known", StringComparison.OrdinalIgnoreCase);

    private static Task UnavailableAsync(HttpContext context, byte[] word) =>
        TextAsync(context, StatusCodes.Status503ServiceUnavailable, word);

    private static Task TextAsync(HttpContext context, int status, byte[] word) =>
        Answer.BytesAsync(context, status, "text/plain; charset=utf-8", word);
}
