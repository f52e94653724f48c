using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Ha.Grpc.Client.Repeating;

/// <summary>Sends calls of all four kinds again. One for each client; thread-safe.</summary>
internal sealed class RepeatInterceptor(HaLeaderOptions options) : Interceptor
{
    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        TRequest request,
        ClientInterceptorContext<TRequest, TResponse> context,
        BlockingUnaryCallContinuation<TRequest, TResponse> continuation)
    {
        var repeats = new CallRepeats(options, context.Method, context.Options);
        while (true)
        {
            try
            {
                return continuation(request, context);
            }
            catch (RpcException error)
            {
                if (repeats.PauseAfter(error) is not { } pause)
                {
                    throw repeats.Told(error);
                }

                repeats.WaitAsync(pause, CancellationToken.None).GetAwaiter().GetResult();
            }
        }
    }

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request,
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
    {
        var repeats = new CallRepeats(options, context.Method, context.Options);
        var call = new SingleAnswer<TResponse>(repeats, Start(), () => Task.FromResult(Start())!);
        return new AsyncUnaryCall<TResponse>(
            call.Response,
            static call => Of(call).HeadersAsync(),
            static call => Of(call).Status,
            static call => Of(call).Trailers,
            static call => Of(call).Dispose(),
            call);

        SingleAttempt<TResponse> Start()
        {
            var attempt = continuation(request, context);
            return new SingleAttempt<TResponse>(
                attempt.ResponseAsync, () => attempt.ResponseHeadersAsync, attempt.GetStatus, attempt.GetTrailers, attempt.Dispose);
        }

        static SingleAnswer<TResponse> Of(object call) => (SingleAnswer<TResponse>)call;
    }

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncClientStreamingCallContinuation<TRequest, TResponse> continuation)
    {
        var (first, stream) = Start();
        var requests = new KeptRequests<TRequest>(context.Method.RequestMarshaller, options.MaxKeptStreamBytes, stream);
        var call = new SingleAnswer<TResponse>(
            new CallRepeats(options, context.Method, context.Options), first, () => requests.RepeatAsync(Start), requests.Forget);
        return new AsyncClientStreamingCall<TRequest, TResponse>(
            requests,
            call.Response,
            static call => Of(call).HeadersAsync(),
            static call => Of(call).Status,
            static call => Of(call).Trailers,
            static call => Of(call).Dispose(),
            call);

        (SingleAttempt<TResponse> Attempt, IClientStreamWriter<TRequest> Requests) Start()
        {
            var attempt = continuation(context);
            return (
                new SingleAttempt<TResponse>(
                    attempt.ResponseAsync, () => attempt.ResponseHeadersAsync, attempt.GetStatus, attempt.GetTrailers, attempt.Dispose),
                attempt.RequestStream);
        }

        static SingleAnswer<TResponse> Of(object call) => (SingleAnswer<TResponse>)call;
    }

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        TRequest request,
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation)
    {
        var repeats = new CallRepeats(options, context.Method, context.Options);
        var call = new StreamedAnswer<TResponse>(repeats, Start(), () => Task.FromResult(Start())!);
        return new AsyncServerStreamingCall<TResponse>(
            call,
            static call => Of(call).HeadersAsync(),
            static call => Of(call).Status,
            static call => Of(call).Trailers,
            static call => Of(call).Dispose(),
            call);

        StreamAttempt<TResponse> Start()
        {
            var attempt = continuation(request, context);
            return new StreamAttempt<TResponse>(
                attempt.ResponseStream, () => attempt.ResponseHeadersAsync, attempt.GetStatus, attempt.GetTrailers, attempt.Dispose);
        }

        static StreamedAnswer<TResponse> Of(object call) => (StreamedAnswer<TResponse>)call;
    }

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncDuplexStreamingCallContinuation<TRequest, TResponse> continuation)
    {
        var (first, stream) = Start();
        var requests = new KeptRequests<TRequest>(context.Method.RequestMarshaller, options.MaxKeptStreamBytes, stream);
        var call = new StreamedAnswer<TResponse>(
            new CallRepeats(options, context.Method, context.Options), first, () => requests.RepeatAsync(Start), requests.Forget);
        return new AsyncDuplexStreamingCall<TRequest, TResponse>(
            requests,
            call,
            static call => Of(call).HeadersAsync(),
            static call => Of(call).Status,
            static call => Of(call).Trailers,
            static call => Of(call).Dispose(),
            call);

        (StreamAttempt<TResponse> Attempt, IClientStreamWriter<TRequest> Requests) Start()
        {
            var attempt = continuation(context);
            return (
                new StreamAttempt<TResponse>(
                    attempt.ResponseStream, () => attempt.ResponseHeadersAsync, attempt.GetStatus, attempt.GetTrailers, attempt.Dispose),
                attempt.RequestStream);
        }

        static StreamedAnswer<TResponse> Of(object call) => (StreamedAnswer<TResponse>)call;
    }
}
