namespace Ha.Client.Routing;

/// <summary>A stream of which the beginning was read, and more may be being read.</summary>
internal sealed class BegunStream : Stream
{
    private readonly Stream _rest;
    private readonly IDisposable _whole;
    private readonly CancellationTokenSource _stop;
    private readonly ReadOnlyMemory<byte> _next;
    private ReadOnlyMemory<byte> _begin;
    private Task<int>? _reading;
    private bool _isDisposed;

    /// <param name="buffer">Holds the beginning, and then what is being read.</param>
    /// <param name="count">The length of the beginning, in bytes.</param>
    /// <param name="reading">The read that is under way, to the end of the buffer. A canceled one would cost the connection.</param>
    /// <param name="rest">The stream, behind that.</param>
    /// <param name="whole">What the stream is of, disposed of with this one.</param>
    /// <param name="stop">Ends that read.</param>
    public BegunStream(ReadOnlyMemory<byte> buffer, int count, Task<int> reading, Stream rest, IDisposable whole, CancellationTokenSource stop)
    {
        (_begin, _next, _reading, _rest, _whole, _stop) = (buffer[..count], buffer[count..], reading, rest, whole, stop);

        // Who disposes of the response meanwhile does not hear how it ends.
        _ = reading.ContinueWith(static read => read.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_begin.IsEmpty && _reading is { } reading)
        {
            _begin = _next[..await reading.WaitAsync(cancellationToken).ConfigureAwait(false)];
            _reading = null;
        }

        return _begin.IsEmpty ? await _rest.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) : TakeBegin(buffer.Span);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        if (_begin.IsEmpty && _reading is { } reading)
        {
            _begin = _next[..reading.GetAwaiter().GetResult()];
            _reading = null;
        }

        return _begin.IsEmpty ? _rest.Read(buffer) : TakeBegin(buffer);
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing && !Interlocked.Exchange(ref _isDisposed, true))
        {
            // A connection that is still being read from must not be used again: that read ends first.
            _stop.Cancel();
            _ = (_reading ?? Task.FromResult(0)).ContinueWith(
                (_, whole) => ((IDisposable)whole!).Dispose(),
                _whole,
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
            _stop.Dispose();
        }

        base.Dispose(disposing);
    }

    private int TakeBegin(Span<byte> buffer)
    {
        var count = Math.Min(buffer.Length, _begin.Length);
        _begin.Span[..count].CopyTo(buffer);
        _begin = _begin[count..];
        return count;
    }
}
