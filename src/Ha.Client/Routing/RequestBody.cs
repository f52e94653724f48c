using System.Net;
using System.Net.Http.Json;

namespace Ha.Client.Routing;

/// <summary>
/// The body of one call over its attempts: kept in memory up to a limit, else sent only after the node has said
/// <c>100 Continue</c> (RFC 9110 section 10.1.1), so that a refusal leaves it unread. Not thread-safe.
/// </summary>
internal sealed class RequestBody(HttpContent? content, bool isWrite, int limit)
{
    private bool _replayable;
    private volatile bool _started;

    /// <summary>The body can be sent once only: better ask for the leader first.</summary>
    public bool SentOnce => !_replayable;

    /// <summary>True as long as the body can still be sent whole.</summary>
    public bool CanSend => _replayable || !_started;

    /// <summary>The request needs <c>Expect: 100-continue</c>. Not gRPC: its streams go both ways from the beginning.</summary>
    public bool Expects { get; private set; }

    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        if (content is null)
        {
            _replayable = true;
            return;
        }

        var length = content.Headers.ContentLength;
        if (length <= limit)
        {
            await content.LoadIntoBufferAsync(limit, cancellationToken);
            _replayable = true;
            return;
        }

        // These keep their bytes themselves, or make them anew each time.
        _replayable = content is ByteArrayContent or ReadOnlyMemoryContent or JsonContent;
        Expects = !IsGrpc(content) && (length is not null || content is not JsonContent);
    }

    /// <summary>
    /// The content of the next attempt. A write always has one: with null <c>SocketsHttpHandler</c> takes the request
    /// for one that it may send again by itself when a reused connection breaks.
    /// </summary>
    public HttpContent? Next()
    {
        if (content is null)
        {
            return isWrite ? new ByteArrayContent([]) : null;
        }

        return _replayable ? content : new Conditional(this, content);
    }

    private static bool IsGrpc(HttpContent content) =>
        content.Headers.ContentType?.MediaType is { } type && type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase);

    /// <summary>Notices whether the transport has begun to read. Never disposes the caller's content.</summary>
    private sealed class Conditional : HttpContent
    {
        private readonly RequestBody _owner;
        private readonly HttpContent _inner;

        public Conditional(RequestBody owner, HttpContent inner)
        {
            (_owner, _inner) = (owner, inner);
            foreach (var (name, values) in inner.Headers.NonValidated)
            {
                Headers.TryAddWithoutValidation(name, values);
            }
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            _owner._started = true;
            return _inner.CopyToAsync(stream, context, cancellationToken);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _inner.Headers.ContentLength ?? -1;
            return length >= 0;
        }
    }
}
