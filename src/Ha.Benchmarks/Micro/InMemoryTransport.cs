using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Ha.Benchmarks.Micro;

/// <summary>
/// A transport for Kestrel without sockets: what is measured is the server and the pipeline, on one thread, nothing of
/// the operating system.
/// </summary>
internal sealed class InMemoryTransport : IConnectionListenerFactory, IConnectionListener
{
    private readonly Channel<ConnectionContext> _connections = Channel.CreateUnbounded<ConnectionContext>();

    public EndPoint EndPoint { get; private set; } = new IPEndPoint(IPAddress.Loopback, 0);

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        EndPoint = endpoint;
        return new ValueTask<IConnectionListener>(this);
    }

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) =>
        await _connections.Reader.WaitToReadAsync(cancellationToken) && _connections.Reader.TryRead(out var connection) ? connection : null;

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _connections.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => UnbindAsync();

    /// <summary>The client's end of a new connection.</summary>
    /// <param name="pool">Where buffers come from, as in the transport over sockets.</param>
    public IDuplexPipe Connect(MemoryPool<byte> pool)
    {
        var options = new PipeOptions(
            pool, readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false,
            pauseWriterThreshold: 0, resumeWriterThreshold: 0);
        var up = new Pipe(options);
        var down = new Pipe(options);
        _connections.Writer.TryWrite(new Connection(new Duplex(up.Reader, down.Writer), pool));
        return new Duplex(down.Reader, up.Writer);
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class Connection : ConnectionContext, IConnectionIdFeature, IConnectionItemsFeature, IMemoryPoolFeature
    {
        public Connection(IDuplexPipe transport, MemoryPool<byte> pool)
        {
            MemoryPool = pool;
            Transport = transport;
            Features = new FeatureCollection();
            Features.Set<IConnectionIdFeature>(this);
            Features.Set<IConnectionItemsFeature>(this);
            Features.Set<IMemoryPoolFeature>(this);
            RemoteEndPoint = new IPEndPoint(IPAddress.Loopback, 1);
            LocalEndPoint = new IPEndPoint(IPAddress.Loopback, 2);
        }

        public MemoryPool<byte> MemoryPool { get; }

        public override string ConnectionId { get; set; } = "in-memory";

        public override IFeatureCollection Features { get; }

        public override IDictionary<object, object?> Items { get; set; } = new ConnectionItems();

        public override IDuplexPipe Transport { get; set; }

        public override void Abort(ConnectionAbortedException abortReason) => Transport.Input.Complete(abortReason);
    }
}
