using System.Net.Sockets;

namespace Ha.Chaos.Nodes;

/// <summary>A connection to a server's socket in the file system.</summary>
internal sealed class LocalSocket : IAsyncDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    private LocalSocket()
    {
    }

    /// <exception cref="SocketException">Nobody listens there.</exception>
    public static async Task<LocalSocket> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        var connection = new LocalSocket();
        try
        {
            await connection._socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Whether somebody listens there.</summary>
    public static async Task<bool> AnswersAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await ConnectAsync(path, cancellationToken);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Sends a line and returns the beginning of what comes back; empty when the other side closed.</summary>
    public async Task<string> AskAsync(string line, CancellationToken cancellationToken)
    {
        var buffer = new byte[64];
        await _socket.SendAsync(System.Text.Encoding.ASCII.GetBytes(line + "\r\n"), cancellationToken);
        return System.Text.Encoding.ASCII.GetString(buffer, 0, await _socket.ReceiveAsync(buffer, cancellationToken));
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }
}
