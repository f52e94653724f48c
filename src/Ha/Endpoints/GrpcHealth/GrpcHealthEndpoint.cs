using Ha.Http;
using Ha.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Ha.Endpoints.GrpcHealth;

/// <summary>
/// The service <c>grpc.health.v1.Health</c>, so that gRPC clients and balancers find the leader by themselves. One
/// message each way, written by hand: an application without gRPC needs no package for it.
/// </summary>
internal sealed class GrpcHealthEndpoint(HealthFeed feed, HaMetrics metrics, TimeProvider clock, int maxWatches = GrpcHealthEndpoint.MaxWatches)
{
    /// <summary>More watches than this are refused: each costs a few kilobytes, and nobody has so many balancers.</summary>
    public const int MaxWatches = 65_536;

    // Flag, length, and the field `status` with its value.
    private static readonly byte[] _serving = [0, 0, 0, 0, 2, 8, 1];
    private static readonly byte[] _notServing = [0, 0, 0, 0, 2, 8, 2];
    private static readonly byte[] _serviceUnknown = [0, 0, 0, 0, 2, 8, 3];

    private int _watches;

    /// <param name="context">The request.</param>
    /// <param name="method">What follows <see cref="HaRoutes.GrpcHealth"/>.</param>
    public Task HandleAsync(HttpContext context, string method)
    {
        var (request, response) = (context.Request, context.Response);
        response.Headers.CacheControl = "no-store";
        if (!HttpMethods.IsPost(request.Method))
        {
            return Answer.MethodNotAllowedAsync(context, "POST");
        }

        if (!IsGrpc(request.ContentType))
        {
            return Answer.ProblemAsync(context, StatusCodes.Status415UnsupportedMediaType, "not application/grpc");
        }

        if (HttpProtocol.IsHttp11(request.Protocol) || HttpProtocol.IsHttp10(request.Protocol))
        {
            response.Headers.Upgrade = "HTTP/2.0";
            return Answer.ProblemAsync(context, StatusCodes.Status426UpgradeRequired, "gRPC needs HTTP/2: TLS, or a listener for HTTP/2 alone");
        }

        response.ContentType = request.ContentType;
        response.Headers.GrpcAcceptEncoding = "identity";
        return method switch
        {
            "Check" => RunAsync(context, CheckAsync),
            "Watch" => RunAsync(context, WatchAsync),
            _ => new GrpcOutcome(GrpcStatus.Unimplemented, "no such method").WriteAsync(response),
        };
    }

    /// <summary>Protobuf is what is spoken here; <c>+json</c> or gRPC-Web is not.</summary>
    private static bool IsGrpc(string? contentType)
    {
        var type = contentType.AsSpan();
        var end = type.IndexOf(';');
        type = (end < 0 ? type : type[..end]).Trim();
        return type.Equals("application/grpc", StringComparison.OrdinalIgnoreCase)
            || type.Equals("application/grpc+proto", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>One call within the client's own deadline.</summary>
    private async Task RunAsync(HttpContext context, Func<HttpContext, CancellationToken, Task<GrpcOutcome>> call)
    {
        var gone = context.RequestAborted;
        using var deadline = GrpcTimeout.Parse(context.Request.Headers.GrpcTimeout) is { } timeout
            ? new CancellationTokenSource(timeout, clock)
            : null;
        using var either = deadline is null ? null : CancellationTokenSource.CreateLinkedTokenSource(gone, deadline.Token);
        GrpcOutcome outcome;
        try
        {
            outcome = await call(context, either?.Token ?? gone);
        }
        catch (OperationCanceledException) when (deadline is { IsCancellationRequested: true } && !gone.IsCancellationRequested)
        {
            outcome = new GrpcOutcome(GrpcStatus.DeadlineExceeded);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && gone.IsCancellationRequested)
        {
            return;
        }

        await outcome.WriteAsync(context.Response);
    }

    private async Task<GrpcOutcome> CheckAsync(HttpContext context, CancellationToken cancellationToken)
    {
        var request = await GrpcHealthRequest.ReadAsync(context.Request, cancellationToken);
        if (request.Problem is { } problem)
        {
            return problem;
        }

        if (request.Service == HealthService.Unknown)
        {
            return new GrpcOutcome(GrpcStatus.NotFound, "unknown service");
        }

        await context.Response.BodyWriter.WriteAsync(Message(request.Service, feed.Look()), cancellationToken);
        return GrpcOutcome.Ok;
    }

    private async Task<GrpcOutcome> WatchAsync(HttpContext context, CancellationToken cancellationToken)
    {
        var request = await GrpcHealthRequest.ReadAsync(context.Request, cancellationToken);
        if (request.Problem is { } problem)
        {
            return problem;
        }

        // Lasts for hours: a duration that would drown those of the application, and a trace nobody reads.
        Unrecorded.Make(context);
        try
        {
            metrics.Watches(1);
            return Interlocked.Increment(ref _watches) > maxWatches
                ? new GrpcOutcome(GrpcStatus.ResourceExhausted, "too many watches")
                : await PushAsync(context, request.Service, cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _watches);
            metrics.Watches(-1);
        }
    }

    private async Task<GrpcOutcome> PushAsync(HttpContext context, HealthService service, CancellationToken cancellationToken)
    {
        byte[]? told = null;
        for (var moment = feed.Look(); !moment.Ended; moment = feed.Latest)
        {
            var message = Message(service, moment);
            if (message != told)
            {
                told = message;
                await context.Response.BodyWriter.WriteAsync(message, cancellationToken);
            }

            await moment.Over.WaitAsync(cancellationToken);
        }

        return new GrpcOutcome(GrpcStatus.Unavailable, "the node stops");
    }

    private static byte[] Message(HealthService service, HealthMoment moment) => service switch
    {
        HealthService.Node => moment.Ready ? _serving : _notServing,
        HealthService.Leader => moment.Leads ? _serving : _notServing,
        _ => _serviceUnknown,
    };
}
