using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Http.Json;

namespace Ha.Client.Routing;

/// <summary>
/// The body of one message over all its attempts and passes: kept in memory up to a limit, and JSON of what is there as a whole
/// at any size; else sent only after the node has said <c>100 Continue</c> (RFC 9110 section 10.1.1), so that a refusal leaves it
/// unread. What is not kept is read once: whoever comes for it again, the transport included, gets an error and not the rest.
/// Thread-safe.
/// </summary>
internal sealed class RequestBody(HttpContent? content, bool isWrite, int limit)
{
    private Task? _preparing;
    private volatile bool _replayable;
    private int _begun;

    /// <summary>Nothing needs to be read, or it was.</summary>
    public bool IsPrepared => content is null || Volatile.Read(ref _preparing) is { IsCompleted: true };

    /// <summary>The body can be sent once only: better ask for the leader first.</summary>
    public bool SentOnce => content is not null && !_replayable;

    /// <summary>True as long as the body can still be sent whole.</summary>
    public bool CanSend => !IsSpent;

    /// <summary>The body was begun and is not kept.</summary>
    public bool IsSpent => SentOnce && Volatile.Read(ref _begun) != 0;

    /// <summary>The request needs <c>Expect: 100-continue</c>. Not gRPC: its streams go both ways from the beginning.</summary>
    public bool Expects { get; private set; }

    public bool IsOf(HttpContent? other) => ReferenceEquals(content, other);

    /// <summary>Reads what is to be kept. The first pass does it; the others wait for that, and look at <see cref="CanSend"/>.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (Interlocked.CompareExchange(ref _preparing, mine.Task, null) is { } others)
        {
            await others.WaitAsync(cancellationToken).ConfigureAwait(false);
            return;
        }

        try
        {
            await KeepAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            mine.SetResult();
        }
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

    private async Task KeepAsync(CancellationToken cancellationToken)
    {
        // These keep their bytes themselves.
        _replayable = content is ByteArrayContent or ReadOnlyMemoryContent;

        // An object is in memory already, and may change; what it is at this moment is sent each time.
        var length = content!.Headers.ContentLength;
        if (length <= limit || (content is JsonContent json && !IsSequence(json.Value)))
        {
            // When it breaks off, what was read is lost.
            Volatile.Write(ref _begun, 1);
            await content.LoadIntoBufferAsync(content is JsonContent ? int.MaxValue : limit, cancellationToken).WaitAsync(cancellationToken).ConfigureAwait(false);
            _replayable = true;
            length = content.Headers.ContentLength;
        }

        Expects = !(length <= limit) && !IsGrpc(content);
    }

    // What makes its items as they are read may have none the second time, or no end.
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "The serializer asks for the same interfaces, so they are kept.")]
    private static bool IsSequence(object? value)
    {
        if (value is null or string or ICollection)
        {
            return false;
        }

        var kinds = value.GetType().GetInterfaces().Where(static type => type.IsGenericType).Select(static type => type.GetGenericTypeDefinition()).ToArray();
        return kinds.Contains(typeof(IAsyncEnumerable<>)) ||
            (value is IEnumerable && !kinds.Contains(typeof(ICollection<>)) && !kinds.Contains(typeof(IReadOnlyCollection<>)));
    }

    private bool TryBegin() => Interlocked.Exchange(ref _begun, 1) == 0;

    private static bool IsGrpc(HttpContent content) =>
        content.Headers.ContentType?.MediaType is { } type && type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase);

    /// <summary>Lets the transport read once. Never disposes the caller's content.</summary>
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
            if (!_owner.TryBegin())
            {
                throw new IOException("The body has been read and is not kept (MaxBufferedBodyBytes), so it was not sent again.");
            }

            return _inner.CopyToAsync(stream, context, cancellationToken);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _inner.Headers.ContentLength ?? -1;
            return length >= 0;
        }
    }
}
