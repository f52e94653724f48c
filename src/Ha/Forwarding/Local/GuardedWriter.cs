using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Forwarding.Local;

/// <summary>The writer that a handler gets; asks <paramref name="guard"/> before anything of the answer leaves.</summary>
internal sealed class GuardedWriter(AnswerGuard guard) : PipeWriter
{
    private PipeWriter _writer = null!;

    public GuardedWriter Of(IHttpResponseBodyFeature inner)
    {
        _writer = inner.Writer;
        return this;
    }

    public override bool CanGetUnflushedBytes => _writer.CanGetUnflushedBytes;

    public override long UnflushedBytes => _writer.UnflushedBytes;

    public override void Advance(int bytes) => _writer.Advance(bytes);

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        guard.BeforeBuffering();
        return _writer.GetMemory(sizeHint);
    }

    public override Span<byte> GetSpan(int sizeHint = 0)
    {
        guard.BeforeBuffering();
        return _writer.GetSpan(sizeHint);
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        guard.BeforeFirstByte();
        return _writer.FlushAsync(cancellationToken);
    }

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        guard.BeforeFirstByte();
        return _writer.WriteAsync(source, cancellationToken);
    }

    public override void CancelPendingFlush() => _writer.CancelPendingFlush();

    public override void Complete(Exception? exception = null)
    {
        guard.BeforeFirstByte();
        _writer.Complete(exception);
    }

    public override ValueTask CompleteAsync(Exception? exception = null)
    {
        guard.BeforeFirstByte();
        return _writer.CompleteAsync(exception);
    }
}
