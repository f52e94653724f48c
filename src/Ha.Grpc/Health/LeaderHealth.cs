using Grpc.Core;
using Grpc.Health.V1;
using Ha.Endpoints;
using Microsoft.Extensions.Options;
using HealthBase = Grpc.Health.V1.Health.HealthBase;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace Ha.Grpc.Health;

/// <summary>The service <c>grpc.health.v1.Health</c>, by which gRPC clients and balancers find the leader.</summary>
internal sealed class LeaderHealth : HealthBase
{
    private readonly HashSet<string> _leaderNames;
    private readonly HealthFeed _feed;
    private readonly OpenWatches _watches;
    private readonly OtherHealth _others;
    private readonly INodeReadiness _readiness;

    public LeaderHealth(HealthFeed feed, OpenWatches watches, OtherHealth others, INodeReadiness readiness, IOptions<HaGrpcOptions> options)
    {
        (_feed, _watches, _others, _readiness) = (feed, watches, others, readiness);
        _leaderNames = new HashSet<string>(options.Value.LeaderServices, StringComparer.Ordinal) { "ha.Leader", "quis.RaftLeader" };
    }

    public override async Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) =>
        Told(request.Service, _feed.Look()) is { } status ? new HealthCheckResponse { Status = status }
        : _others.Find(context.GetHttpContext()) is { } other ? await other.Check(request, context)
        : throw new RpcException(new Status(StatusCode.NotFound, "unknown service"));

    public override async Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        // Lasts for hours: a duration that would drown those of the application, and a trace nobody reads.
        Unrecorded.Make(context.GetHttpContext());
        try
        {
            if (!_watches.Enter())
            {
                context.Status = new Status(StatusCode.ResourceExhausted, "too many watches");
                return;
            }

            if (Told(request.Service, _feed.Latest) is null && _others.Find(context.GetHttpContext()) is { } other)
            {
                await PassOnAsync(other, request, responseStream, context);
            }
            else
            {
                await PushAsync(request.Service, responseStream, context.CancellationToken);
            }

            context.Status = new Status(StatusCode.Unavailable, "the node stops");
        }
        catch (Exception) when (context.CancellationToken.IsCancellationRequested)
        {
            // The client has left, or its deadline has come, which gRPC tells it.
        }
        finally
        {
            _watches.Leave();
        }
    }

    private async Task PushAsync(
        string service, IServerStreamWriter<HealthCheckResponse> responseStream, CancellationToken cancellationToken)
    {
        ServingStatus? told = null;
        for (var moment = _feed.Look(); !moment.Ended; moment = _feed.Latest)
        {
            var status = Told(service, moment) ?? ServingStatus.ServiceUnknown;
            if (status != told)
            {
                told = status;
                await responseStream.WriteAsync(new HealthCheckResponse { Status = status }, cancellationToken);
            }

            await moment.Over.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Ends with the node, or with the client.</summary>
    private async Task PassOnAsync(
        HealthBase other,
        HealthCheckRequest request,
        IServerStreamWriter<HealthCheckResponse> responseStream,
        ServerCallContext context)
    {
        var closing = _readiness.Closing;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, closing);
        try
        {
            await other.Watch(request, responseStream, new EndingContext(context, either.Token));
        }
        catch (OperationCanceledException) when (closing.IsCancellationRequested)
        {
            // As it should.
        }
    }

    /// <returns>Null for a name that is not ours.</returns>
    private ServingStatus? Told(string service, HealthMoment moment) =>
        service.Length == 0 ? Serving(moment.Ready)
        : _leaderNames.Contains(service) ? Serving(moment.Leads)
        : null;

    private static ServingStatus Serving(bool serving) => serving ? ServingStatus.Serving : ServingStatus.NotServing;
}
