using System.Buffers;
using System.Net.Sockets;

namespace Ha.Tests.OnTheWire;

/// <summary>One connection through a relay: two pumps, either of which may cut both.</summary>
internal sealed class RelayedConnection : IDisposable
{
    private const int BufferSize = 64 * 1024;

    /// <summary>For whoever does not close after the other side's end was shown to it.</summary>
    private static readonly TimeSpan _farewell = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly Socket _client;
    private readonly Socket _server;
    private readonly CancellationTokenSource _over;
    private volatile bool _finished;

    /// <param name="client">Accepted.</param>
    /// <param name="server">To be connected.</param>
    /// <param name="stop">Ends it at once.</param>
    public RelayedConnection(Socket client, Socket server, CancellationToken stop)
    {
        _client = client;
        _server = server;
        _over = CancellationTokenSource.CreateLinkedTokenSource(stop);

        // A piece is a packet: the network waits for no second one to send both.
        client.NoDelay = true;
        server.NoDelay = true;
    }

    public bool WasCut { get; private set; }

    /// <summary>Until both directions have ended.</summary>
    public async Task RunAsync(IFlow up, IFlow down)
    {
        var ended = await Task.WhenAll(PumpAsync(_client, _server, up), PumpAsync(_server, _client, down));
        if (ended is [true, true])
        {
            // Closed, not reset: the kernel still delivers what it has.
            _client.Dispose();
            _server.Dispose();
        }
    }

    /// <summary>Closes what is still open with a reset.</summary>
    public void Dispose()
    {
        Reset();
        _over.Dispose();
    }

    /// <returns>True when the stream came to its end.</returns>
    private async Task<bool> PumpAsync(Socket from, Socket to, IFlow flow)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            for (int read; (read = await from.ReceiveAsync(buffer, _over.Token)) > 0;)
            {
                if (!_finished)
                {
                    await PassOnAsync(buffer.AsMemory(0, read), to, flow);
                }
            }

            if (!_finished)
            {
                to.Shutdown(SocketShutdown.Send);
            }

            return true;
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // What one side did, the other sees, unless it is reading towards the end that we have shown it.
            if (!_finished)
            {
                Reset();
            }

            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task PassOnAsync(ReadOnlyMemory<byte> bytes, Socket to, IFlow flow)
    {
        while (!bytes.IsEmpty && !_finished)
        {
            var step = flow.Next(bytes.Length);
            if (step.Delay > TimeSpan.Zero)
            {
                await Task.Delay(step.Delay, _over.Token);
            }

            for (var piece = bytes[..step.Take]; !piece.IsEmpty;)
            {
                piece = piece[await to.SendAsync(piece, SocketFlags.None, _over.Token)..];
            }

            bytes = bytes[step.Take..];
            if (step.UntilRead)
            {
                await UnreadBytes.NoneAtPeerAsync(to, _over.Token);
            }

            if (step.Cut != Cut.None)
            {
                Apply(step.Cut);
            }
        }
    }

    private void Apply(Cut cut)
    {
        WasCut = true;
        _finished = true;
        if (cut == Cut.Finish)
        {
            _client.Shutdown(SocketShutdown.Send);
            _server.Shutdown(SocketShutdown.Send);
            _over.CancelAfter(_farewell);
        }
        else
        {
            Reset();
        }
    }

    private void Reset()
    {
        lock (_lock)
        {
            foreach (var socket in new[] { _client, _server })
            {
                if (!socket.SafeHandle.IsClosed)
                {
                    socket.LingerState = new LingerOption(enable: true, seconds: 0);
                    socket.Dispose();
                }
            }
        }
    }
}
