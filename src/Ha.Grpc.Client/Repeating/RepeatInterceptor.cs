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
        RpcException? last = null;
        while (true)
        {
            try
            {
                return continuation(request, ForAttempt(context));
            }
            catch (ObjectDisposedException) when (last is not null)
            {
                throw repeats.Told(last);
            }
            catch (RpcException error)
            {
                if (repeats.PauseAfter(error) is not { } pause)
                {
                    throw repeats.Told(error);
                }

                last = error;
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
            var attempt = continuation(request, ForAttempt(context));
            return new SingleAttempt<TResponse>(
                attempt.ResponseAsync, () => attempt.ResponseHeadersAsync, attempt.GetStatus, attempt.GetTrailers, attempt.Dispose);
        }

        static SingleAnswer<TResponse> Of(object call) => (SingleAnswer<TResponse>)call;
    }

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncClientStreamingCallContinuation<TRequest, TResponse> continuation)
    {
        var repeats = new CallRepeats(options, context.Method, context.Options);
        var (first, stream) = Start();
        var requests = new KeptRequests<TRequest>(repeats, context.Method.RequestMarshaller, options.MaxKeptStreamBytes, stream);
        var call = new SingleAnswer<TResponse>(repeats, first, () => requests.RepeatAsync(Start), requests.Forget);
        return new AsyncClientStreamingCall<TRequest, TResponse>(
            requests,
            call.Response,
            static call => Of(call).HeadersAsync(),
            static call => Of(call).Status,
            static call => Of(call).Trailers,
            static call => Of(call).Dispose(),
            call);

        (SingleAttempt<TResponse> Attempt, RequestStream<TRequest> Requests) Start()
        {
            var attempt = continuation(ForAttempt(context));
            return (
                new SingleAttempt<TResponse>(
                    attempt.ResponseAsync, () => attempt.ResponseHeadersAsync, attempt.GetStatus, attempt.GetTrailers, attempt.Dispose),
                new RequestStream<TRequest>(attempt.RequestStream, attempt.GetStatus, attempt.Dispose));
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
            var attempt = continuation(request, ForAttempt(context));
            return new StreamAttempt<TResponse>(
                attempt.ResponseStream, () => attempt.ResponseHeadersAsync, attempt.GetStatus, attempt.GetTrailers, attempt.Dispose);
        }

        static StreamedAnswer<TResponse> Of(object call) => (StreamedAnswer<TResponse>)call;
    }

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncDuplexStreamingCallContinuation<TRequest, TResponse> continuation)
    {
        var repeats = new CallRepeats(options, context.Method, context.Options);
        var (first, stream) = Start();
        var requests = new KeptRequests<TRequest>(repeats, context.Method.RequestMarshaller, options.MaxKeptStreamBytes, stream);
        var call = new StreamedAnswer<TResponse>(repeats, first, () => requests.RepeatAsync(Start), requests.Forget);
        return new AsyncDuplexStreamingCall<TRequest, TResponse>(
            requests,
            call,
            static call => Of(call).HeadersAsync(),
            static call => Of(call).Status,
            static call => Of(call).Trailers,
            static call => Of(call).Dispose(),
            call);

        (StreamAttempt<TResponse> Attempt, RequestStream<TRequest> Requests) Start()
        {
            var attempt = continuation(ForAttempt(context));
            return (
                new StreamAttempt<TResponse>(
                    attempt.ResponseStream, () => attempt.ResponseHeadersAsync, attempt.GetStatus, attempt.GetTrailers, attempt.Dispose),
                new RequestStream<TRequest>(attempt.RequestStream, attempt.GetStatus, attempt.Dispose));
        }

        static StreamedAnswer<TResponse> Of(object call) => (StreamedAnswer<TResponse>)call;
    }

    /// <summary>With metadata of its own: interceptors further in add to what they find, once an attempt.</summary>
    private static ClientInterceptorContext<TRequest, TResponse> ForAttempt<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> call)
        where TRequest : class
        where TResponse : class
    {
        if (call.Options.Headers is not { } headers)
        {
            return call;
        }

        var copy = new Metadata();
        foreach (var entry in headers)
        {
            copy.Add(entry);
        }

        return new ClientInterceptorContext<TRequest, TResponse>(call.Method, call.Host, call.Options.WithHeaders(copy));
    }
}
