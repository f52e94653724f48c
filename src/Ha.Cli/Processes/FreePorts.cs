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

    /// <summary>Ports that were free on loopback a moment ago, no two alike.</summary>
    public static IReadOnlyList<int> Find(int count)
    {
        var held = new List<TcpListener>();
        try
        {
            for (var tries = 0; held.Count < count; tries++)
            {
                var listener = new TcpListener(IPAddress.Loopback, RandomNumberGenerator.GetInt32(Lowest, Highest));
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
}
