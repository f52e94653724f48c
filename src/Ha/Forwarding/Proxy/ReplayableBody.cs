using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.ExceptionServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Forwarding.Proxy;

/// <summary>
/// A request body on its way to the leader. What was read is kept, up to <see cref="KeptBytes.Limit"/>, so that an attempt
/// that was provably not executed can be repeated; beyond that it only streams. Used by one attempt at a time.
/// </summary>
internal sealed class ReplayableBody : IDisposable
{
    private readonly HttpRequest _request;
    private readonly bool _replaced;
    private readonly long? _maxLength;
    private readonly KeptBytes _kept;
    private PipeReader? _reader;
    private bool _atEnd;

    public ReplayableBody(HttpRequest request)
    {
        _request = request;
        _replaced = IsReplaced(request);

        // What a middleware has put into its place may be decoded: the length that the client stated is not this one's.
        Length = _replaced ? null : request.ContentLength;
        _kept = new KeptBytes(Length);
        _maxLength = _replaced ? null : BodyLimits.MaxLength(request.HttpContext);
        CanHaveBody = request.HttpContext.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody
            ?? (request.ContentLength > 0 || request.Headers.TransferEncoding.Count > 0);
        _atEnd = !CanHaveBody || request.ContentLength == 0;
        WasRead = !_atEnd && !(_replaced && request.Body.CanSeek) && BodyLimits.WasRead(request.HttpContext);
    }

    /// <summary>False: there is provably nothing to read.</summary>
    public bool CanHaveBody { get; }

    /// <summary>As stated by the client; null: not stated, or not the length of what the application would read.</summary>
    public long? Length { get; }

    /// <summary>True: somebody on this node has read of it, and it cannot be read again.</summary>
    public bool WasRead { get; }

    /// <summary>True when the whole body is certain to be kept.</summary>
    public bool IsSmall => _atEnd || Length <= KeptBytes.Limit;

    /// <summary>True while another attempt can send everything from the start.</summary>
    public bool CanReplay => !_kept.Overflowed;

    /// <summary>The failure of the client's side, when that is what broke an attempt.</summary>
    public ExceptionDispatchInfo? ClientFault { get; private set; }

    // The same also after ReturnToRequest has put something else into its place.
    private PipeReader Reader => _reader ??= OpenReader();

    /// <summary>
    /// The leader's limits count, not this node's; except where a middleware of this node has a hand in the body.
    /// </summary>
    public void LiftLimits()
    {
        if (!_replaced)
        {
            BodyLimits.Lift(_request.HttpContext);
        }
    }

    /// <summary>Sends what is kept, then the rest as it comes.</summary>
    public async Task CopyToAsync(Stream leader, CancellationToken cancellation)
    {
        if (_kept.Length > 0)
        {
            await leader.WriteAsync(_kept.From(0), cancellation);
        }

        var reader = Reader;
        while (!_atEnd)
        {
            cancellation.ThrowIfCancellationRequested();
            var result = await ReadAsync(reader, leader, cancellation);
            if (result.IsCanceled)
            {
                reader.AdvanceTo(result.Buffer.Start);
                continue;
            }

            await SendAsync(leader, reader, result, cancellation);
        }
    }

    /// <summary>
    /// Puts what is kept back in front of the rest, and the limit that was lifted back into force, for a handler that now
    /// runs on this very node.
    /// </summary>
    public void ReturnToRequest()
    {
        if (_reader is not null)
        {
            // An attempt that was cancelled while it wrote has left its cancellation to the next read.
            if (_reader.TryRead(out var next))
            {
                _reader.AdvanceTo(next.Buffer.Start);
            }

            // The server lets nobody change its own limit once somebody has begun to read.
            _request.Body = new ReplayStream(_kept.From(0), _atEnd ? null : _reader.AsStream(leaveOpen: true), _maxLength);
        }
        else if (!_replaced)
        {
            BodyLimits.SetMaxLength(_request.HttpContext, _maxLength);
        }
    }

    public void Dispose() => _kept.Dispose();

    // The server's own body comes from where the server's request does. If in doubt it is taken for a replaced one, which
    // costs no more than its length.
    private static bool IsReplaced(HttpRequest request) =>
        request.Body.GetType().Assembly != request.HttpContext.Features.GetRequiredFeature<IHttpRequestFeature>().GetType().Assembly;

    private static void EndRead(PipeReader reader)
    {
        try
        {
            reader.CancelPendingRead();
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException)
        {
            // The client has reset its stream, which has ended the read; whoever awaits that gets to know.
        }
    }

    private PipeReader OpenReader()
    {
        if (_replaced && _request.Body.CanSeek)
        {
            // A middleware that buffers has read it, or not; the application is meant to read all of it.
            _request.Body.Position = 0;
        }

        return _request.BodyReader;
    }

    private ValueTask<ReadResult> ReadAsync(PipeReader reader, Stream leader, CancellationToken cancellation)
    {
        var pending = reader.ReadAsync(CancellationToken.None);
        return pending.IsCompleted ? FromClientAsync(pending) : FlushAndReadAsync(reader, leader, pending.AsTask(), cancellation);
    }

    // Nothing more is here: what was written must not wait for what comes (a stream of small messages).
    private async ValueTask<ReadResult> FlushAndReadAsync(
        PipeReader reader, Stream leader, Task<ReadResult> pending, CancellationToken cancellation)
    {
        // Not by handing the token to the read: Kestrel takes a read that its token has ended for one that goes on, and can
        // then neither read on nor keep the connection.
        using var registration = cancellation.UnsafeRegister(static reading => EndRead((PipeReader)reading!), reader);
        try
        {
            await leader.FlushAsync(cancellation);
        }
        catch
        {
            // The read must not outlive the attempt: the next one, or the server, goes on from here.
            EndRead(reader);
            reader.AdvanceTo((await pending).Buffer.Start);
            throw;
        }

        return await FromClientAsync(new ValueTask<ReadResult>(pending));
    }

    private async ValueTask<ReadResult> FromClientAsync(ValueTask<ReadResult> pending)
    {
        try
        {
            return await pending;
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            // Kestrel says of some bad bodies no more than "I/O"; passed on as that, each would be an error in the log.
            ClientFault = ExceptionDispatchInfo.Capture(
                fault is IOException and not BadHttpRequestException ? new BadHttpRequestException("The body's framing is broken.", fault) : fault);
            throw;
        }
    }

    // In one piece as far as it goes: the server hands out 4 KiB at a time, and each write is a packet and a system call.
    private async ValueTask SendAsync(Stream leader, PipeReader reader, ReadResult result, CancellationToken cancellation)
    {
        var buffer = result.Buffer;
        try
        {
            var from = _kept.Length;
            _kept.Add(buffer);
            _atEnd = result.IsCompleted;
            if (buffer.IsEmpty)
            {
                return;
            }

            if (!_kept.Overflowed)
            {
                await leader.WriteAsync(_kept.From(from), cancellation);
            }
            else if (buffer.IsSingleSegment)
            {
                await leader.WriteAsync(buffer.First, cancellation);
            }
            else
            {
                await SendJoinedAsync(leader, buffer, cancellation);
            }
        }
        finally
        {
            reader.AdvanceTo(buffer.End);
        }
    }

    private static async ValueTask SendJoinedAsync(Stream leader, ReadOnlySequence<byte> bytes, CancellationToken cancellation)
    {
        var piece = ArrayPool<byte>.Shared.Rent((int)Math.Min(bytes.Length, KeptBytes.Limit));
        try
        {
            while (!bytes.IsEmpty)
            {
                var part = bytes.Slice(0, Math.Min(bytes.Length, piece.Length));
                part.CopyTo(piece);
                await leader.WriteAsync(piece.AsMemory(0, (int)part.Length), cancellation);
                bytes = bytes.Slice(part.End);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }
}
