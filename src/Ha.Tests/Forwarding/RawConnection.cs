using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Ha.Tests.Forwarding;

/// <summary>One TCP connection, for what no HTTP client would send or show.</summary>
internal sealed class RawConnection(Socket socket) : IDisposable
{
    private readonly StringBuilder _received = new();

    public static async Task<RawConnection> ConnectAsync(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        return new RawConnection(socket);
    }

    /// <summary>Sends the text and returns everything until the other side closes or the answer is complete.</summary>
    public static async Task<string> AskAsync(int port, string request)
    {
        using var connection = await ConnectAsync(port);
        await connection.SendAsync(request);
        return await connection.ReceiveAllAsync();
    }

    public async Task SendAsync(string text) => await socket.SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Everything received so far, as soon as it contains <paramref name="text"/>; fails when the peer closes before.</summary>
    public async Task<string> ReceiveUntilAsync(string text)
    {
        while (!_received.ToString().Contains(text, StringComparison.Ordinal))
        {
            if (!await ReceiveSomeAsync())
            {
                throw new IOException($"Closed before \"{text}\": {_received}");
            }
        }

        return _received.ToString();
    }

    /// <summary>Everything received so far, as soon as it is enough or the peer has closed.</summary>
    public async Task<string> ReceiveWhileAsync(Func<string, bool> wanting)
    {
        while (wanting(_received.ToString()) && await ReceiveSomeAsync())
        {
        }

        return _received.ToString();
    }

    public async Task<string> ReceiveAllAsync()
    {
        while (await ReceiveSomeAsync())
        {
        }

        return _received.ToString();
    }

    /// <summary>Closes with a reset instead of an orderly end.</summary>
    public void Reset()
    {
        socket.LingerState = new LingerOption(enable: true, seconds: 0);
        socket.Dispose();
    }

    public void Dispose() => socket.Dispose();

    private async Task<bool> ReceiveSomeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var buffer = new byte[16 * 1024];
        try
        {
            var read = await socket.ReceiveAsync(buffer, patience.Token);
            _received.Append(Encoding.Latin1.GetString(buffer, 0, read));
            return read > 0;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

/// <summary>A leader that does what no server should: each connection is handed to the test.</summary>
internal sealed class RawLeader : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private int _requests;

    /// <param name="serve">Gets the connection and what its request begins with, up to the end of the headers.</param>
    public RawLeader(Func<RawConnection, string, Task> serve)
    {
        _listener.Start();
        _accepting = AcceptAsync(serve);
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>Requests whose headers arrived: what a real leader would have executed.</summary>
    public int Requests => Volatile.Read(ref _requests);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task AcceptAsync(Func<RawConnection, string, Task> serve)
    {
        while (true)
        {
            var socket = await _listener.AcceptSocketAsync(_stop.Token);
            _ = ServeAsync(new RawConnection(socket), serve);
        }
    }

    private async Task ServeAsync(RawConnection connection, Func<RawConnection, string, Task> serve)
    {
        using (connection)
        {
            try
            {
                var headers = await connection.ReceiveUntilAsync("\r\n\r\n");
                Interlocked.Increment(ref _requests);
                await serve(connection, headers);
            }
            catch (Exception failure) when (failure is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // The connection is what the test is about; it sees the end from the other side.
            }
        }
    }
}
