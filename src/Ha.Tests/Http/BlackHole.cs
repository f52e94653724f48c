using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Ha.Tests.Http;

/// <summary>
/// An address that answers nothing, like that of a host behind a router that drops: a listener that accepts nobody and
/// whose queue is full, so that Linux drops each SYN.
/// </summary>
internal sealed class BlackHole : IDisposable
{
    private const int Fillers = 4;

    private readonly Socket _listener;
    private readonly List<Socket> _fillers = [];
    private int _own;

    private BlackHole(IPAddress address, int port)
    {
        _listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        _listener.Bind(new IPEndPoint(address, port));
        _listener.Listen(backlog: 0);
        Address = (IPEndPoint)_listener.LocalEndPoint!;
    }

    public IPEndPoint Address { get; }

    /// <summary>How many connections to here are under way, this object's own left out.</summary>
    public int Knocking => UnderWay() - _own;

    /// <param name="address">An address of this machine.</param>
    /// <param name="port">Default: a free one.</param>
    public static async Task<BlackHole> OpenAsync(IPAddress address, int port = 0)
    {
        var hole = new BlackHole(address, port);
        for (var i = 0; i < Fillers; i++)
        {
            var filler = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            hole._fillers.Add(filler);
            var connected = filler.ConnectAsync(hole.Address);
            if (i == 0)
            {
                // A queue for none holds one. The others take the place, should there be more.
                await connected;
            }
            else
            {
                _ = IgnoreAsync(connected);
            }
        }

        hole._own = hole.UnderWay();
        return hole;
    }

    public void Dispose()
    {
        _fillers.ForEach(static filler => filler.Dispose());
        _listener.Dispose();
    }

    private int UnderWay() => IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpConnections()
        .Count(connection => connection.State == TcpState.SynSent && connection.RemoteEndPoint.Equals(Address));

    private static async Task IgnoreAsync(Task connected)
    {
        try
        {
            await connected;
        }
        catch (Exception ended) when (ended is SocketException or ObjectDisposedException)
        {
            // Ends when the hole is closed.
        }
    }
}
