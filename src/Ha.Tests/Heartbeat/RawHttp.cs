using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Ha.Tests.Heartbeat;

/// <summary>HTTP/1.1 by hand, for what no client library would send.</summary>
internal static class RawHttp
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(60);

    /// <summary>Sends the text and returns the answer, or what there is of it when the server closes before.</summary>
    /// <param name="url">Where to.</param>
    /// <param name="text">What to send.</param>
    /// <param name="finish">Says that nothing more comes, as a client does that gives up.</param>
    public static async Task<string> SendAsync(string url, string text, bool finish = false)
    {
        using var limit = new CancellationTokenSource(_deadline);
        using var client = new TcpClient();
        var uri = new Uri(url);
        await client.ConnectAsync(uri.Host, uri.Port, limit.Token);
        var stream = client.GetStream();
        var answer = new StringBuilder();
        try
        {
            await stream.WriteAsync(Encoding.Latin1.GetBytes(text), limit.Token);
            if (finish)
            {
                client.Client.Shutdown(SocketShutdown.Send);
            }

            var buffer = new byte[4096];
            while (!IsComplete(answer.ToString()) && await stream.ReadAsync(buffer, limit.Token) is > 0 and var length)
            {
                answer.Append(Encoding.Latin1.GetString(buffer, 0, length));
            }
        }
        catch (IOException)
        {
            // The server may refuse and close before it has read everything.
        }

        return answer.ToString();
    }

    /// <summary>Sends the text and resets the connection.</summary>
    public static async Task SendAndCloseAsync(string url, string text)
    {
        using var limit = new CancellationTokenSource(_deadline);
        using var client = new TcpClient { LingerState = new LingerOption(enable: true, seconds: 0) };
        var uri = new Uri(url);
        await client.ConnectAsync(uri.Host, uri.Port, limit.Token);
        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(text), limit.Token);
    }

    private static bool IsComplete(string answer)
    {
        const string LengthName = "\r\nContent-Length: ";
        var body = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
        var length = answer.IndexOf(LengthName, StringComparison.Ordinal);
        if (body < 4 || length < 0)
        {
            return false;
        }

        var digits = answer.AsSpan(length + LengthName.Length);
        return answer.Length - body >= int.Parse(digits[..digits.IndexOf('\r')], CultureInfo.InvariantCulture);
    }
}
