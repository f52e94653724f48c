using System.Text;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints.StatusPage;

/// <summary><c>GET /_ha</c>: one page without any other file, whole without JavaScript and kept fresh with it.</summary>
internal sealed class StatusPageEndpoint(EndpointSources sources)
{
    private readonly DateTimeOffset _startedAt = sources.Clock.GetUtcNow();

    public Task HandleAsync(HttpContext context)
    {
        var model = new StatusModel(
            sources.Settings,
            sources.View(),
            sources.Telemetry.Recent(),
            sources.Telemetry.Metrics.Totals,
            sources.Clock.GetUtcNow(),
            _startedAt,
            sources.Stopping);
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = StatusAssets.ContentSecurityPolicy;
        headers["Referrer-Policy"] = "no-referrer";
        var page = Encoding.UTF8.GetBytes(StatusPageHtml.Render(model));
        return Answer.BytesAsync(context, StatusCodes.Status200OK, "text/html; charset=utf-8", page);
    }
}
