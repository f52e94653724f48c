using System.Globalization;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Ha.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Ha.Grpc.Errors;

/// <summary>
/// Sees what a method throws before gRPC makes UNKNOWN of all of it. A refusal is kept for the middleware, whose own answer carries the
/// same status and trailers, and tells a node that forwarded the call to try the next leader. The error that is thrown here in its place
/// is what clients see where the answer has begun, or the plugin is off.
/// </summary>
internal sealed class RefusalInterceptor(ILeaderProvider provider, IOptions<HaOptions> options) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception thrown) when (RefusalIn(thrown, context) is { } refusal)
        {
            throw ErrorOf(refusal);
        }
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        ServerCallContext context,
        ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(requestStream, context);
        }
        catch (Exception thrown) when (RefusalIn(thrown, context) is { } refusal)
        {
            throw ErrorOf(refusal);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception thrown) when (RefusalIn(thrown, context) is { } refusal)
        {
            throw ErrorOf(refusal);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(requestStream, responseStream, context);
        }
        catch (Exception thrown) when (RefusalIn(thrown, context) is { } refusal)
        {
            throw ErrorOf(refusal);
        }
    }

    // What is an error of gRPC's already says what it is to say, unless another server said it.
    private static Exception? RefusalIn(Exception thrown, ServerCallContext context) =>
        thrown is RpcException error ? (RetriableMark.IsReceived(error) ? error : null) : context.GetHttpContext().KeepRefusal(thrown);

    private RpcException ErrorOf(Exception refusal)
    {
        if (refusal is RpcException received)
        {
            return new RpcException(received.Status, RetriableMark.Others(received), received.Message);
        }

        if (refusal is not NotLeaderException notLeader)
        {
            return RetriableMark.On(new RpcException(new Status(StatusCode.Unknown, "outcome unknown", refusal)), retriable: false);
        }

        var error = new RpcException(new Status(StatusCode.Unavailable, "not leader", refusal));
        var current = provider.Current;
        var (leader, epoch) = notLeader.LeaderUrl is { } named ? (named, notLeader.Epoch)
            : current.IsLeader || current.LeaseRemaining == TimeSpan.Zero ? (null, null)
            : (current.LeaderUrl, (long?)current.Epoch);
        if (leader is null || !options.Value.PublicInfo)
        {
            return RetriableMark.On(error, retriable: true);
        }

        var name = new Metadata.Entry(GrpcMarks.Leader, leader);
        return epoch is { } known
            ? RetriableMark.On(error, retriable: true, name, new(GrpcMarks.Epoch, known.ToString(CultureInfo.InvariantCulture)))
            : RetriableMark.On(error, retriable: true, name);
    }
}
