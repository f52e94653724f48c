using System.Net;
using System.Net.Sockets;

namespace Ha.Benchmarks.Processes;

internal static class Ports
{
    /// <summary>So many ports that were free a moment ago: members must know each other's before they start.</summary>
    public static int[] Free(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        try
        {
            listeners.ForEach(listener => listener.Start());
            return [.. listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        }
        finally
        {
            listeners.ForEach(listener => listener.Dispose());
        }
    }
}
