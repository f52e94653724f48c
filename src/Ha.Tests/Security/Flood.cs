using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Ha.Tests.Security;

/// <summary>
/// As many requests as a few connections carry, one behind the other without waiting for answers, and how they were
/// answered.
/// </summary>
internal static class Flood
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    /// <param name="url">The node.</param>
    /// <param name="requests">How many, over all connections.</param>
    /// <param name="connections">Each has its share, in the order of the numbers.</param>
    /// <param name="make">A request by its number; each must leave the connection open.</param>
    /// <returns>How often each status came.</returns>
    public static async Task<IReadOnlyDictionary<int, int>> RunAsync(string url, int requests, int connections, Func<int, string> make)
    {
        var share = requests / connections;
        var counts = await Task.WhenAll(Enumerable.Range(0, connections).Select(c => Task.Run(() => RunAsync(new Uri(url).Port, c * share, share, make))));
        return counts.SelectMany(c => c).GroupBy(c => c.Key, c => c.Value).ToDictionary(same => same.Key, same => same.Sum());
    }

    private static async Task<Dictionary<int, int>> RunAsync(int port, int first, int requests, Func<int, string> make)
    {
        using var patience = new CancellationTokenSource(_patience);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port, patience.Token);
        var reading = ReadAsync(socket, requests, patience.Token);
        var batch = new StringBuilder();
        for (var i = 0; i < requests; i++)
        {
            batch.Append(make(first + i));
            if (batch.Length > 32_000 || i == requests - 1)
            {
                await socket.SendAsync(Encoding.Latin1.GetBytes(batch.ToString()), patience.Token);
                batch.Clear();
            }
        }

        return await reading;
    }

    private static async Task<Dictionary<int, int>> ReadAsync(Socket socket, int answers, CancellationToken patience)
    {
        var counts = new Dictionary<int, int>();
        var buffer = new byte[64 * 1024];
        var kept = 0;
        for (var seen = 0; seen < answers;)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(kept), patience);
            Assert.True(read > 0, $"closed after {seen} of {answers} answers: {Encoding.Latin1.GetString(buffer, 0, kept)}");
            kept += read;
            seen += Count(buffer.AsSpan(0, kept), counts, out var rest);
            buffer.AsSpan(kept - rest, rest).CopyTo(buffer);
            kept = rest;
        }

        return counts;
    }

    /// <param name="text">What has come.</param>
    /// <param name="counts">Added to.</param>
    /// <param name="rest">So much at the end may be the beginning of another answer.</param>
    /// <returns>How many answers begin in it.</returns>
    private static int Count(ReadOnlySpan<byte> text, Dictionary<int, int> counts, out int rest)
    {
        const int StatusLength = 3;
        var start = "HTTP/1.1 "u8;
        for (var found = 0; ; found++)
        {
            var at = text.IndexOf(start);
            if (at < 0 || at + start.Length + StatusLength > text.Length)
            {
                rest = at < 0 ? Math.Min(text.Length, start.Length - 1) : text.Length - at;
                return found;
            }

            Assert.True(Utf8Parser.TryParse(text.Slice(at + start.Length, StatusLength), out int status, out _));
            counts[status] = counts.GetValueOrDefault(status) + 1;
            text = text[(at + start.Length + StatusLength)..];
        }
    }
}
