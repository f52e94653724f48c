using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Ha.Tests.Support;

namespace Ha.Tests.Oracle;

/// <summary>A client of bare sockets: sends a case as it stands and notes the answer as it comes.</summary>
internal static class RawFront
{
    /// <summary>What the client says first over an upgraded connection.</summary>
    public const string Greeting = "hello";

    public static async Task AskAsync(int port, Exchange exchange)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        await using var stream = new NetworkStream(socket);
        using var patience = new CancellationTokenSource(Exchange.Patience);
        using var _ = patience.Token.UnsafeRegister(static s => ((Socket)s!).Dispose(), socket);
        var invited = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var sending = SendAsync(stream, exchange, invited.Task);
        exchange.Note(Exchange.End, Exchange.BrokenOff);
        try
        {
            await ReceiveAsync(stream, exchange, invited);
            exchange.Note(Exchange.End, Exchange.Whole);
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException)
        {
            if (patience.IsCancellationRequested)
            {
                exchange.Note(Exchange.End, Exchange.Silence);
            }
        }

        invited.TrySetResult(false);
        socket.Dispose();
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task SendAsync(NetworkStream stream, Exchange exchange, Task<bool> invited)
    {
        var question = exchange.Case;
        await WriteAsync(stream, question.Text ?? Head(question));
        if (question.Text is not null || !question.HasBody || (question.Expects && !await invited))
        {
            return;
        }

        var first = true;
        foreach (var piece in question.Pieces())
        {
            if (!first)
            {
                await exchange.StepAsync(exchange.UploadSeen.Task, Exchange.UploadFirst);
            }

            await WriteAsync(stream, question.Chunked ? Reply.Chunk(piece) : piece);
            first = false;
        }

        if (question.Chunked)
        {
            await WriteAsync(stream, $"0\r\n{string.Concat(question.Trailers.Select(line => line + "\r\n"))}\r\n");
        }
    }

    private static string Head(OracleCase question)
    {
        var head = new StringBuilder($"{question.Method} {question.Target} HTTP/1.1\r\n");
        if (!question.Headers.Any(line => HeaderLine.Of(line).Is("Host")))
        {
            head.Append("Host: shop.example\r\n");
        }

        head.AppendJoin("", question.Headers.Select(line => line + "\r\n"));
        head.Append(question.Expects ? "Expect: 100-continue\r\n" : "");
        head.Append(question.Chunked ? "Transfer-Encoding: chunked\r\n" : "");
        return head.Append(question is { Chunked: false, Body: { } body } ? $"Content-Length: {body.Length}\r\n\r\n" : "\r\n").ToString();
    }

    private static async Task ReceiveAsync(NetworkStream stream, Exchange exchange, TaskCompletionSource<bool> invited)
    {
        var reader = new Http1Reader(stream);
        var interim = new List<string>();
        while (true)
        {
            var status = await reader.ReadLineAsync();
            var headers = await reader.ReadHeadersAsync();
            var code = int.Parse(status.AsSpan(9, 3), CultureInfo.InvariantCulture);
            if (code is 100 or > 101 and < 200)
            {
                interim.Add(status);
                invited.TrySetResult(code == 100);
                continue;
            }

            exchange.HeadSeen.TrySetResult();
            invited.TrySetResult(false);
            exchange.Note("client: interim", string.Join(", ", interim));
            exchange.Note("client: status", code);
            exchange.Note("client: reason", status[Math.Min(13, status.Length)..]);
            exchange.Note("client: header", headers);
            await ReadBodyAsync(reader, stream, exchange, code, headers);
            exchange.Note("client: surplus", reader.IsEmpty ? "none" : "some");
            return;
        }
    }

    private static async Task ReadBodyAsync(
        Http1Reader reader, NetworkStream stream, Exchange exchange, int code, List<HeaderLine> headers)
    {
        using var body = new MemoryStream();
        try
        {
            if (code == 101)
            {
                await WriteAsync(stream, Greeting);
                await reader.ReadToEndAsync(Take);
            }
            else if (code is not (204 or 304) && exchange.Case.Method != "HEAD")
            {
                exchange.Note("client: trailer", await reader.ReadBodyAsync(headers, untilClosed: true, Take));
            }
        }
        finally
        {
            exchange.NoteBody("client: body", body);
        }

        void Take(ReadOnlyMemory<byte> piece)
        {
            body.Write(piece.Span);
            exchange.BodySeen.TrySetResult();
        }
    }

    private static async Task WriteAsync(NetworkStream stream, string text) => await stream.WriteAsync(Encoding.Latin1.GetBytes(text));
}
