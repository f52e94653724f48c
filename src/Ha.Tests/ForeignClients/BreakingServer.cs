using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace Ha.Tests.ForeignClients;

/// <summary>
/// Answers POSTs, but of the first connection that is used a second time it reads the second POST whole and closes instead
/// of answering: a leader that is killed after it has executed a write.
/// </summary>
internal sealed partial class BreakingServer : IAsyncDisposable
{
    private const string Answer =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: *, Authorization\r\n\r\nok";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private int _broken;
    private int _posts;

    public BreakingServer()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>POST requests that arrived whole.</summary>
    public int Posts => Volatile.Read(ref _posts);

    public bool HasBroken => Volatile.Read(ref _broken) != 0;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
        }
    }

    private async Task ServeAsync(TcpClient connection)
    {
        using (connection)
        {
            var stream = connection.GetStream();
            var posts = 0;
            while (await RequestAsync(stream) is { } head)
            {
                if (head.StartsWith("POST ", StringComparison.Ordinal))
                {
                    Interlocked.Increment(ref _posts);
                    if (++posts == 2 && Interlocked.Exchange(ref _broken, 1) == 0)
                    {
                        return;
                    }
                }

                await stream.WriteAsync(Encoding.ASCII.GetBytes(Answer), _stop.Token);
            }
        }
    }

    /// <returns>The request's head, once its body is here too; null at the end of the connection.</returns>
    private async Task<string?> RequestAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAtLeastAsync(one, 1, throwOnEndOfStream: false, _stop.Token) == 0)
            {
                return null;
            }

            head.Append((char)one[0]);
        }

        var text = head.ToString();
        if (ContentLength().Match(text) is { Success: true } length)
        {
            await stream.ReadExactlyAsync(new byte[int.Parse(length.Groups["bytes"].ValueSpan, provider: null)], _stop.Token);
        }

        return text;
    }

    [GeneratedRegex(@"^content-length: (?<bytes>\d+)", RegexOptions.IgnoreCase | RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ContentLength();
}
