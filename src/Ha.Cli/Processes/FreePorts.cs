using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Ha.Cli.Processes;

internal static class FreePorts
{
    // Below the ports that systems hand out for outgoing connections (Linux: from 32768): a node that is down keeps
    // its port, and nobody's connection, not even one to this very port, sits on it when the node comes back.
    private const int Lowest = 15_000;
    private const int Highest = 32_000;

    // A port is bound only some time after it was found, and again after its node was down: nobody else may find it meanwhile.
    private static readonly HashSet<int> _found = [];

    /// <summary>Ports that were free on loopback a moment ago; none is found twice in one process. Safe for several threads.</summary>
    public static IReadOnlyList<int> Find(int count)
    {
        var held = new List<TcpListener>();
        try
        {
            for (var tries = 0; held.Count < count; tries++)
            {
                var port = RandomNumberGenerator.GetInt32(Lowest, Highest);
                if (!IsNew(port))
                {
                    continue;
                }

                var listener = new TcpListener(IPAddress.Loopback, port);
                try
                {
                    listener.Start();
                    held.Add(listener);
                }
                catch (SocketException) when (tries < 1000)
                {
                    listener.Dispose();
                }
            }

            return [.. held.Select(l => ((IPEndPoint)l.LocalEndpoint).Port)];
        }
        finally
        {
            held.ForEach(l => l.Dispose());
        }
    }

    private static bool IsNew(int port)
    {
        lock (_found)
        {
            return _found.Count < Highest - Lowest ? _found.Add(port) : throw new InvalidOperationException("All ports have been used.");
        }
    }
}
