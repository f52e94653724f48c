using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Ha.Tests.OnTheWire;

/// <summary>
/// A stretch of network in front of a port on loopback: it splits, delays and cuts as its flows say, and never holds more
/// than a buffer for each direction of a connection.
/// </summary>
internal sealed class Relay : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<int, Task> _open = new();
    private readonly int _targetPort;
    private readonly Func<int, (IFlow Up, IFlow Down)> _flows;
    private readonly Task _accepting;
    private int _connections;
    private int _cuts;

    /// <param name="targetPort">Where to go.</param>
    /// <param name="flows">
    /// The flows of each connection, counted from 0: up is towards the target, down is what the target answers.
    /// </param>
    public Relay(int targetPort, Func<int, (IFlow Up, IFlow Down)> flows)
    {
        _targetPort = targetPort;
        _flows = flows;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(512);
        Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    public string Url => $"http://127.0.0.1:{Port}";

    /// <summary>Connections that came so far.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Connections that were cut so far.</summary>
    public int Cuts => Volatile.Read(ref _cuts);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_open.Values);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            var client = await _listener.AcceptAsync(_stop.Token);
            var number = _connections;
            Volatile.Write(ref _connections, number + 1);

            // Started only when it is in the list, so that it finds itself there when it leaves.
            var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _open[number] = ServeAsync(number, client, begun.Task);
            begun.SetResult();
        }
    }

    private async Task ServeAsync(int number, Socket client, Task begun)
    {
        await begun;
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using var connection = new RelayedConnection(client, server, _stop.Token);
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, _targetPort, _stop.Token);
            var (up, down) = _flows(number);
            await connection.RunAsync(up, down);
        }
        catch (Exception failure) when (failure is SocketException or OperationCanceledException)
        {
            // Nobody listens there, or the relay ends: the client's connection is reset.
        }

        if (connection.WasCut)
        {
            Interlocked.Increment(ref _cuts);
        }

        _open.TryRemove(number, out _);
    }
}
