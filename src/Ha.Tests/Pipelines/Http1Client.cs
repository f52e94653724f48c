using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

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

        using var leaving = leaves.UnsafeRegister(static c => ((Http1Connection)c!).Dispose(), connection!);
        var seen = await connection!.ExchangeAsync(message) with { Reused = reused };
        if (leaves.IsCancellationRequested || message.Plan.LeavesInBody)
        {
            seen = seen.Ending == Ending.Broken ? new Seen(Ending.Left) : seen;
        }

        if (seen.Ending == Ending.Answered && connection.CanBeReused)
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
    private readonly byte[] _buffer = new byte[16 * 1024];
    private int _from, _to;
    private bool _closes;
    private bool _sent;

    private Http1Connection(Socket socket) => _socket = socket;

    /// <summary>False: the other side has closed it.</summary>
    public bool IsOpen => !_socket.Poll(0, SelectMode.SelectRead);

    public bool CanBeReused => !_closes && _sent && _from == _to;

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
            var status = await ReadLineAsync();
            var headers = await ReadHeadersAsync();
            var code = int.Parse(status.AsSpan(9, 3), CultureInfo.InvariantCulture);
            if (code < 200)
            {
                invited.TrySetResult(true);
                continue;
            }

            _closes |= headers.TryGetValue("Connection", out var connection) && connection.Contains("close", StringComparison.OrdinalIgnoreCase);
            var seen = new Seen(Ending.Broken) { Status = code, Headers = headers };
            using var body = new MemoryStream();
            try
            {
                await ReadBodyAsync(code, headers, body);
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException or IOException)
            {
                return seen with { Body = body.ToArray(), Failure = failure.GetType().Name };
            }

            return seen with { Ending = Ending.Answered, Body = body.ToArray(), Surplus = _from != _to };
        }
    }

    private async Task ReadBodyAsync(int code, Dictionary<string, string> headers, MemoryStream body)
    {
        if (code is 204 or 304)
        {
            return;
        }

        if (headers.TryGetValue("Transfer-Encoding", out var coding) && coding.Contains("chunked", StringComparison.OrdinalIgnoreCase))
        {
            int size;
            while ((size = int.Parse(await ReadLineAsync(), NumberStyles.HexNumber, CultureInfo.InvariantCulture)) > 0)
            {
                await ReadExactlyAsync(size, body);
                await ReadLineAsync();
            }

            await ReadHeadersAsync();
        }
        else if (headers.TryGetValue("Content-Length", out var length))
        {
            await ReadExactlyAsync(int.Parse(length, CultureInfo.InvariantCulture), body);
        }
        else
        {
            _closes = true;
            while (_from < _to || await FillAsync())
            {
                body.Write(_buffer, _from, _to - _from);
                _from = _to;
            }
        }
    }

    private async Task<Dictionary<string, string>> ReadHeadersAsync()
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (await ReadLineAsync() is { Length: > 0 } line)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var (name, value) = (line[..colon], line[(colon + 1)..].Trim());
            headers[name] = headers.TryGetValue(name, out var before) ? $"{before}, {value}" : value;
        }

        return headers;
    }

    private async Task<string> ReadLineAsync()
    {
        var line = new StringBuilder();
        while (true)
        {
            if (_from == _to && !await FillAsync())
            {
                throw new IOException("closed");
            }

            var c = (char)_buffer[_from++];
            if (c == '\n')
            {
                return line.ToString(0, line.Length - 1);
            }

            line.Append(c);
        }
    }

    private async Task ReadExactlyAsync(int count, MemoryStream body)
    {
        while (count > 0)
        {
            if (_from == _to && !await FillAsync())
            {
                throw new IOException("closed");
            }

            var part = Math.Min(count, _to - _from);
            body.Write(_buffer, _from, part);
            _from += part;
            count -= part;
        }
    }

    private async ValueTask<bool> FillAsync()
    {
        _from = 0;
        _to = 0;
        _to = await _socket.ReceiveAsync(_buffer);
        return _to > 0;
    }
}
