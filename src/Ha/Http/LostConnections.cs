using System.Net;
using System.Net.Sockets;

namespace Ha.Http;

/// <summary>
/// What becomes of connections to an address that a name has lost: they end if it swallows packets, since TCP would let a write wait there
/// for a quarter of an hour. Thread-safe.
/// </summary>
/// <param name="open">One attempt to connect. Default: TCP.</param>
/// <param name="clock">Of the probes.</param>
internal sealed class LostConnections(Func<IPEndPoint, CancellationToken, Task<Socket>>? open, TimeProvider clock)
{
    // Room for a first packet that was lost: it is sent again after a second.
    private static readonly TimeSpan _silence = TimeSpan.FromSeconds(3);

    /// <returns>Null: it has ended.</returns>
    public static IPEndPoint? AddressOf(Socket socket)
    {
        try
        {
            return socket.RemoteEndPoint as IPEndPoint;
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            return null;
        }
    }

    /// <summary>Does not throw for anything the network does.</summary>
    /// <param name="lost">Sockets of others.</param>
    /// <param name="stopping">Ends the probes, and leaves the connections.</param>
    public async Task EndIfSwallowedAsync(List<Socket> lost, CancellationToken stopping)
    {
        foreach (var address in lost.GroupBy(AddressOf))
        {
            if (address.Key is { } end && await SwallowsAsync(end, stopping))
            {
                foreach (var socket in address)
                {
                    ShutDown(socket);
                }
            }
        }
    }

    /// <summary>False also where it refuses: then the host is there, and TCP tells what has become of older connections.</summary>
    private async Task<bool> SwallowsAsync(IPEndPoint address, CancellationToken stopping)
    {
        try
        {
            using var socket = await new AddressRace(connect: open, clock: clock)
                .ConnectAsync(new DnsEndPoint(address.Address.ToString(), address.Port), _silence, stopping);
            return false;
        }
        catch (Exception failure) when (failure is SocketException or OperationCanceledException)
        {
            return failure is SocketException { SocketErrorCode: not SocketError.ConnectionRefused };
        }
    }

    // The handler owns it, and is told by the end of what it reads.
    private static void ShutDown(Socket socket)
    {
        try
        {
            socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // It has ended by itself.
        }
    }
}
