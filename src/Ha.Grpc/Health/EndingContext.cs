using Grpc.Core;

namespace Ha.Grpc.Health;

/// <summary>A call that ends earlier than its client wants: another one's context, with another token.</summary>
internal sealed class EndingContext : ServerCallContext
{
    private readonly ServerCallContext _inner;
    private readonly CancellationToken _ended;

    public EndingContext(ServerCallContext inner, CancellationToken ended)
    {
        (_inner, _ended) = (inner, ended);

        // Where GetHttpContext() looks for it in a context that is not the server's own.
        UserState["__HttpContext"] = inner.GetHttpContext();
    }

    protected override string MethodCore => _inner.Method;

    protected override string HostCore => _inner.Host;

    protected override string PeerCore => _inner.Peer;

    protected override DateTime DeadlineCore => _inner.Deadline;

    protected override Metadata RequestHeadersCore => _inner.RequestHeaders;

    protected override CancellationToken CancellationTokenCore => _ended;

    protected override Metadata ResponseTrailersCore => _inner.ResponseTrailers;

    protected override Status StatusCore
    {
        get => _inner.Status;
        set => _inner.Status = value;
    }

    protected override WriteOptions? WriteOptionsCore
    {
        get => _inner.WriteOptions;
        set => _inner.WriteOptions = value;
    }

    protected override AuthContext AuthContextCore => _inner.AuthContext;

    protected override IDictionary<object, object> UserStateCore => _inner.UserState;

    protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) =>
        _inner.CreatePropagationToken(options);

    protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => _inner.WriteResponseHeadersAsync(responseHeaders);
}
