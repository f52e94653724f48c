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
    private int _left = int.MaxValue;

    public RoundTrips(int server)
    {
        _server = server;
        _listener.Start();
        _running = RunAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public int Server => _server;

    public int Count => Volatile.Read(ref _count);

    /// <summary>True: a connection was cut.</summary>
    public bool WasCut { get; private set; }

    /// <summary>Cuts the connection after so many more bytes of answers, once.</summary>
    public void CutAfter(int bytes) => (WasCut, _left) = (false, bytes);

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
        await Task.WhenAny(
            CopyAsync(near.GetStream(), far.GetStream(), read =>
            {
                if (Interlocked.Exchange(ref answered, 0) == 1)
                {
                    Interlocked.Increment(ref _count);
                }

                return read;
            }),
            CopyAsync(far.GetStream(), near.GetStream(), read =>
            {
                Volatile.Write(ref answered, 1);
                return Pass(read);
            }));
    }

    private int Pass(int bytes)
    {
        if (_left == int.MaxValue)
        {
            return bytes;
        }

        var passed = Math.Min(bytes, _left);
        _left -= passed;
        if (passed < bytes)
        {
            (WasCut, _left) = (true, int.MaxValue);
        }

        return passed;
    }

    private async Task CopyAsync(NetworkStream from, NetworkStream to, Func<int, int> passing)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReadAsync(buffer, _end.Token) is var read and > 0)
            {
                var passed = passing(read);
                await to.WriteAsync(buffer.AsMemory(0, passed), _end.Token);
                if (passed < read)
                {
                    break;
                }
            }
        }
        catch (Exception end) when (end is OperationCanceledException or IOException or SocketException)
        {
            // The other side is gone.
        }
    }
}
