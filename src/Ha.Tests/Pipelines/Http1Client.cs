using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Ha.Tests.Support;

namespace Ha.Tests.Pipelines;

/// <summary>HTTP/1.1 by hand, one connection to each node, kept as long as it can be: the bytes as they come, nothing repaired.</summary>
internal sealed class Http1Client : IDisposable
{
    private readonly Dictionary<string, Http1Connection> _idle = new(StringComparer.Ordinal);

    /// <param name="url">The node.</param>
    /// <param name="message">What to send.</param>
    /// <param name="leaves">Fires when the client leaves.</param>
    public async Task<Seen> SendAsync(string url, RequestMessage message, CancellationToken leaves)
    {
        var reused = _idle.Remove(url, out var connection) && connection!.IsOpen;
        if (!reused)
        {
            connection?.Dispose();
            connection = await Http1Connection.ConnectAsync(new Uri(url).Port);
        }

        var leaving = leaves.UnsafeRegister(static c => ((Http1Connection)c!).Dispose(), connection!);
        var seen = await connection!.ExchangeAsync(message) with { Reused = reused };
        if (leaves.IsCancellationRequested || message.Plan.LeavesInBody)
        {
            seen = seen.Ending == Ending.Broken ? new Seen(Ending.Left) : seen;
        }

        // From here on it cannot be closed by a client that leaves late, or it was already.
        leaving.Unregister();
        if (seen.Ending == Ending.Answered && connection.CanBeReused && !leaves.IsCancellationRequested)
        {
            _idle[url] = connection;
        }
        else
        {
            connection.Dispose();
        }

        return seen;
    }

    public void Dispose()
    {
        foreach (var connection in _idle.Values)
        {
            connection.Dispose();
        }
    }
}

internal sealed class Http1Connection : IDisposable
{
    private readonly Socket _socket;
    private readonly Http1Reader _reader;
    private bool _closes;
    private bool _sent;

    private Http1Connection(Socket socket)
    {
        _socket = socket;
        _reader = new Http1Reader(new NetworkStream(socket));
    }

    /// <summary>False: the other side has closed it.</summary>
    public bool IsOpen => !_socket.Poll(0, SelectMode.SelectRead);

    public bool CanBeReused => !_closes && _sent && _reader.IsEmpty;

    public static async Task<Http1Connection> ConnectAsync(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        return new Http1Connection(socket);
    }

    public async Task<Seen> ExchangeAsync(RequestMessage message)
    {
        _sent = false;
        _closes = message.Plan.Close;
        var invited = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var sending = SendAsync(message, invited.Task);
        var seen = new Seen(Ending.Broken);
        try
        {
            seen = await ReceiveAsync(invited);
            _sent = sending.IsCompletedSuccessfully && await sending;
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException or IOException)
        {
            seen = seen with { Failure = failure.GetType().Name };
        }

        invited.TrySetResult(false);
        if (!_sent)
        {
            // The answer came first; the rest of the body is not worth sending.
            Dispose();
            await ((Task)sending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return seen;
    }

    public void Dispose() => _socket.Dispose();

    /// <returns>True: the whole request was sent.</returns>
    private async Task<bool> SendAsync(RequestMessage message, Task<bool> invited)
    {
        await _socket.SendAsync(message.Head($"127.0.0.1:{((IPEndPoint)_socket.RemoteEndPoint!).Port}"));
        if (message.Plan.Expects && !await invited)
        {
            return false;
        }

        foreach (var piece in message.Pieces())
        {
            if (message.Chunked)
            {
                await _socket.SendAsync(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{piece.Length:x}\r\n")));
            }

            await SendAllAsync(piece);
            if (message.Chunked)
            {
                await _socket.SendAsync("\r\n"u8.ToArray());
            }
        }

        if (message.Plan.LeavesInBody)
        {
            Dispose();
            return false;
        }

        if (message.Chunked)
        {
            await _socket.SendAsync("0\r\n\r\n"u8.ToArray());
        }

        return true;
    }

    private async Task SendAllAsync(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await _socket.SendAsync(bytes)..];
        }
    }

    private async Task<Seen> ReceiveAsync(TaskCompletionSource<bool> invited)
    {
        while (true)
        {
            var status = await _reader.ReadLineAsync();
            var lines = await _reader.ReadHeadersAsync();
            var code = int.Parse(status.AsSpan(9, 3), CultureInfo.InvariantCulture);
            if (code < 200)
            {
                invited.TrySetResult(true);
                continue;
            }

            var headers = lines.GroupBy(line => line.Name, StringComparer.OrdinalIgnoreCase)
                .ToDictionary(group => group.Key, group => string.Join(", ", group.Select(line => line.Value)), StringComparer.OrdinalIgnoreCase);
            _closes |= headers.TryGetValue("Connection", out var connection) && connection.Contains("close", StringComparison.OrdinalIgnoreCase);
            var seen = new Seen(Ending.Broken) { Status = code, Headers = headers };
            using var body = new MemoryStream();
            try
            {
                if (code is not (204 or 304))
                {
                    await _reader.ReadBodyAsync(lines, untilClosed: true, piece => body.Write(piece.Span));
                }
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException or IOException)
            {
                return seen with { Body = body.ToArray(), Failure = failure.GetType().Name };
            }

            return seen with { Ending = Ending.Answered, Body = body.ToArray(), Surplus = !_reader.IsEmpty };
        }
    }
}
