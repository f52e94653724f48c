using System.IO.Pipelines;
using Ha.Http;
using Ha.Leadership;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Forwarding.Local;

/// <summary>
/// Looks at the lease once more before the first byte of an answer leaves: a write that was committed after the
/// lease had run out must not be confirmed (docs/protocol.md, section 13).
/// </summary>
/// <remarks>
/// <para>
/// When the handler returns is too late: most answers have begun by then. <c>Response.OnStarting</c> comes at the
/// right moment but cannot change the answer any more, only break it, and an application that catches the failure
/// would turn it into a 500. Buffering the answer would break streaming. So the guard stands in the way of the first
/// byte: it lets it pass untouched, or throws <see cref="OutcomeUnknownException"/> into the handler, and goes on
/// throwing whatever inner error page tries to answer instead, until the middleware answers 502 itself.
/// </para>
/// <para>
/// Answers that claim no success pass, and the 207 of an endpoint that <see cref="AnswersPerItemAttribute"/> says it of. Once
/// the answer has begun nothing is withheld; a stream ends with the lease (<see cref="LeaderConnection"/>), a gRPC answer one
/// lease later, since it may be the answer to one write that still is on its way.
/// </para>
/// </remarks>
internal sealed class AnswerGuard : IHttpResponseBodyFeature
{
    private const int FirstErrorStatus = 400;

    private static readonly object _key = new();

    private HttpContext _context = null!;
    private IHttpResponseBodyFeature _inner = null!;
    private WritePermit _permit = null!;
    private AnswerGrace _grace = null!;
    private WriteGate? _gate;
    private bool _inUse;
    private bool _open;
    private bool _written;
    private CancellationTokenRegistration _end;
    private GuardedWriter? _writer;
    private GuardedStream? _stream;

    /// <summary>True when an answer was withheld.</summary>
    public bool Tripped { get; private set; }

    /// <summary>
    /// True when bytes of the withheld answer wait in the server's buffer. They cannot be taken back, so nothing
    /// else can be said on this connection.
    /// </summary>
    public bool IsDirty => _written;

    /// <summary>True when the answer is a stream that has begun, and the lease that it began under is lost.</summary>
    public bool OutlivedLease => _end != default && _permit.LeaseLost.IsCancellationRequested;

    public Stream Stream => (_stream ??= new GuardedStream(this)).Of(_inner);

    public PipeWriter Writer => (_writer ??= new GuardedWriter(this)).Of(_inner);

    /// <summary>
    /// The guard of a request that is inside <paramref name="gate"/>. The server's own streams live as long as their
    /// connection and are used by one request after the other; where it offers a place for that, so are these.
    /// </summary>
    public static AnswerGuard Begin(
        HttpContext context, IHttpResponseBodyFeature inner, WritePermit permit, WriteGate gate, AnswerGrace grace)
    {
        var guard = OfConnection(context);
        guard._context = context;
        guard._inner = inner;
        guard._permit = permit;
        guard._gate = gate;
        guard._grace = grace;
        guard._inUse = true;
        guard._open = false;
        guard._written = false;
        guard.Tripped = false;
        return guard;
    }

    /// <summary>Leaves the gate. What still writes afterwards meets the server's own refusal.</summary>
    public void End()
    {
        LeaveGate();
        _end.Dispose();
        _end = default;
        _open = true;
        _inUse = false;
    }

    public void DisableBuffering() => _inner.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default)
    {
        BeforeFirstByte();
        return _inner.StartAsync(cancellationToken);
    }

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
    {
        BeforeFirstByte();
        return _inner.SendFileAsync(path, offset, count, cancellationToken);
    }

    public Task CompleteAsync()
    {
        BeforeFirstByte();
        return _inner.CompleteAsync();
    }

    /// <summary>
    /// For a handler that has finished: null when its answer may leave, and then it passes unseen from now on.
    /// </summary>
    public OutcomeUnknownException? Refuses()
    {
        if (!_open && !_context.Response.HasStarted && (Tripped || MustWithhold()))
        {
            Tripped = true;
            return new OutcomeUnknownException();
        }

        _open = true;
        return null;
    }

    /// <summary>Throws when the answer must not leave; free once it has begun.</summary>
    public void BeforeFirstByte()
    {
        if (_open)
        {
            return;
        }

        Check();
        _open = true;
        var contentType = _context.Response.ContentType;
        if (LeaderConnection.IsStream(contentType))
        {
            LeaveGate();
            _end = LeaderConnection.EndWith(
                _context, HaProblem.IsGrpc(contentType) ? _grace.GivenUp(_permit.Admitted) : _permit.LeaseLost);
        }
    }

    /// <summary>The handler fills the server's buffer: nothing leaves yet, but it cannot be unwritten.</summary>
    public void BeforeBuffering()
    {
        if (!_open && !_written)
        {
            Check();
            _written = true;
        }
    }

    private static AnswerGuard OfConnection(HttpContext context)
    {
        if (context.Features.Get<IPersistentStateFeature>()?.State is not { } state)
        {
            return new AnswerGuard();
        }

        if (state.TryGetValue(_key, out var kept) && kept is AnswerGuard known)
        {
            // In use: the application called UseHa() twice on one way through its pipeline.
            return known._inUse ? new AnswerGuard() : known;
        }

        var fresh = new AnswerGuard();
        state[_key] = fresh;
        return fresh;
    }

    private void Check()
    {
        if (Tripped || MustWithhold())
        {
            Tripped = true;
            throw new OutcomeUnknownException("The lease was lost before the answer was sent.");
        }
    }

    private void LeaveGate() => Interlocked.Exchange(ref _gate, value: null)?.Exit();

    private bool MustWithhold() => _context.Response.StatusCode < FirstErrorStatus && !_permit.StillLeads() && !SpeaksPerItem();

    private bool SpeaksPerItem() =>
        _context.Response.StatusCode == StatusCodes.Status207MultiStatus
        && _context.GetEndpoint()?.Metadata.GetMetadata<AnswersPerItemAttribute>() is not null;
}
