using System.Net.Sockets;
using System.Text;
using Ha.Tests.Client;
using Ha.Tests.Support;

namespace Ha.Tests.Oracle;

/// <summary>A leader that writes down what it hears and answers by the script of the exchange that is on.</summary>
internal sealed class RecordingLeader : IAsyncDisposable
{
    private readonly RawServer _server;
    private volatile Exchange? _exchange;

    public RecordingLeader() => _server = new RawServer((_, head, stream) => ServeAsync(_exchange!, head, stream));

    public string Url => _server.Url;

    public void Play(Exchange exchange) => _exchange = exchange;

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private static async Task<bool> ServeAsync(Exchange exchange, string head, NetworkStream stream)
    {
        if (head.StartsWith("PRI ", StringComparison.Ordinal))
        {
            // GOAWAY, HTTP_1_1_REQUIRED: as Kestrel answers where HTTP/2 is not spoken.
            await stream.WriteAsync(new byte[] { 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xd });
            return false;
        }

        var reply = exchange.Case.Reply;
        var reader = new Http1Reader(stream);
        var lines = head[..^4].Split("\r\n");
        var headers = lines[1..].Select(HeaderLine.Of).ToList();
        using var body = new MemoryStream();
        IEnumerable<HeaderLine> trailers = [];
        if (!reply.BeforeBody)
        {
            if (headers.Any(header => header.Is("Expect")))
            {
                await SendAsync(stream, "HTTP/1.1 100 Continue\r\n\r\n");
            }

            trailers = await ReadBodyAsync();
        }

        if (exchange.CountRun())
        {
            var line = lines[0].Split(' ', 2);
            exchange.Note("leader: method", line[0]);
            exchange.Note("leader: target", line[1]);
            exchange.Note("leader: header", headers);
            exchange.Note("leader: trailer", trailers);
            exchange.NoteBody("leader: body", body);
        }

        try
        {
            await AnswerAsync(exchange, reader, stream);
            if (reply.BeforeBody)
            {
                await ReadBodyAsync();
            }
        }
        finally
        {
            exchange.Served.TrySetResult();
        }

        return reply.Then == Afterwards.Keep;

        Task<List<HeaderLine>> ReadBodyAsync() => reader.ReadBodyAsync(headers, untilClosed: false, piece =>
        {
            body.Write(piece.Span);
            exchange.UploadSeen.TrySetResult();
        });
    }

    private static async Task AnswerAsync(Exchange exchange, Http1Reader reader, NetworkStream stream)
    {
        var reply = exchange.Case.Reply;
        if (reply.IsUpgrade)
        {
            using var greeting = new MemoryStream();
            await SendAsync(stream, reply.Head);
            await reader.ReadExactlyAsync(RawFront.Greeting.Length, piece => greeting.Write(piece.Span));
            exchange.NoteBody("leader: socket", greeting);
            await SendAsync(stream, string.Concat(reply.Body));
        }
        else if (reply.InSteps)
        {
            await SendAsync(stream, reply.Head);
            await exchange.StepAsync(exchange.HeadSeen.Task, Exchange.HeadFirst);
            await SendAsync(stream, reply.Body.Count > 0 ? reply.Body[0] : "");
            if (reply.Body.Count > 1)
            {
                await exchange.StepAsync(exchange.BodySeen.Task, "client: first bytes before the rest");
                await SendAsync(stream, string.Concat(reply.Body.Skip(1)));
            }
        }
        else
        {
            await SendAsync(stream, reply.Head + string.Concat(reply.Body));
        }

        if (reply.Then == Afterwards.Reset)
        {
            stream.Socket.LingerState = new LingerOption(enable: true, seconds: 0);
            stream.Dispose();
        }
    }

    private static async Task SendAsync(NetworkStream stream, string text) => await stream.WriteAsync(Encoding.Latin1.GetBytes(text));
}
