using System.Net;
using System.Net.Sockets;

namespace Ha.Tests.EfCore;

/// <summary>Stands between a client and its server, and counts how often the client has sent something after an answer.</summary>
internal sealed class RoundTrips : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly int _server;
    private readonly Task _running;
    private int _count;

    public RoundTrips(int server)
    {
        _server = server;
        _listener.Start();
        _running = RunAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public int Server => _server;

    public int Count => Volatile.Read(ref _count);

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _running;
        _end.Dispose();
    }

    private async Task RunAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
            {
                connections.Add(PassAsync(await _listener.AcceptTcpClientAsync(_end.Token)));
            }
        }
        catch (Exception end) when (end is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task PassAsync(TcpClient client)
    {
        using var near = client;
        using var far = new TcpClient { NoDelay = true };
        near.NoDelay = true;
        await far.ConnectAsync(IPAddress.Loopback, _server);
        var answered = 1;
        await Task.WhenAll(
            CopyAsync(near.GetStream(), far.GetStream(), () => _ = Interlocked.Exchange(ref answered, 0) == 1 ? Interlocked.Increment(ref _count) : 0),
            CopyAsync(far.GetStream(), near.GetStream(), () => Interlocked.Exchange(ref answered, 1)));
    }

    private async Task CopyAsync(NetworkStream from, NetworkStream to, Action passing)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReadAsync(buffer, _end.Token) is var read and > 0)
            {
                passing();
                await to.WriteAsync(buffer.AsMemory(0, read), _end.Token);
            }

            to.Socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception end) when (end is OperationCanceledException or IOException or SocketException)
        {
            // The other side is gone.
        }
    }
}
