using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Ha.Tests.Support;

namespace Ha.Tests.Oracle;

/// <summary>.NET's own client, as far as it sends what a case says.</summary>
internal static class ClientFront
{
    // No constant: the analyzer takes one for bytes.
    private static readonly int _maxHeaderKilobytes = 4 * 1024;

    public static async Task AskAsync(string url, Version version, Exchange exchange)
    {
        // A client for each request: no connection has a past.
        using var client = new HttpMessageInvoker(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            ActivityHeadersPropagator = null,
            Expect100ContinueTimeout = Exchange.Patience,
            MaxResponseHeadersLength = _maxHeaderKilobytes,
            RequestHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
            ResponseHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
        });
        using var request = Request(url, version, exchange);
        using var patience = new CancellationTokenSource(Exchange.Patience);
        exchange.Note(Exchange.End, Exchange.BrokenOff);
        try
        {
            using var answer = await client.SendAsync(request, patience.Token);
            exchange.HeadSeen.TrySetResult();
            exchange.Note("client: status", (int)answer.StatusCode);
            exchange.Note("client: reason", answer.ReasonPhrase ?? "");
            exchange.Note("client: header", Lines(answer.Headers).Concat(Lines(answer.Content.Headers)));
            await ReadBodyAsync(answer, exchange, patience.Token);
            exchange.Note("client: trailer", Lines(answer.TrailingHeaders));
            exchange.Note(Exchange.End, Exchange.Whole);
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException)
        {
            // Which error it was: over HTTP/2 it says whether anybody may have executed it.
            if ((failure as HttpProtocolException ?? failure.InnerException) is HttpProtocolException { ErrorCode: var code })
            {
                exchange.Note("client: error", $"{code}");
            }
        }
        catch (OperationCanceledException)
        {
            exchange.Note(Exchange.End, Exchange.Silence);
        }
    }

    private static HttpRequestMessage Request(string url, Version version, Exchange exchange)
    {
        var question = exchange.Case;
        var request = new HttpRequestMessage
        {
            Method = new HttpMethod(question.Method),
            RequestUri = new Uri(url + question.Target, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }),
            Version = version,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = question.HasBody ? new Upload(exchange) : null,
        };
        request.Headers.Host = "shop.example";
        request.Headers.Protocol = question.Method == "CONNECT" ? "websocket" : null;
        request.Headers.ExpectContinue = question.Expects ? true : null;
        request.Headers.TransferEncodingChunked = question.Chunked ? true : null;
        foreach (var line in question.Headers.Select(HeaderLine.Of))
        {
            if (line.Is("Host"))
            {
                request.Headers.Host = line.Value;
            }
            else if (!request.Headers.TryAddWithoutValidation(line.Name, line.Value))
            {
                request.Content?.Headers.TryAddWithoutValidation(line.Name, line.Value);
            }
        }

        return request;
    }

    private static async Task ReadBodyAsync(HttpResponseMessage answer, Exchange exchange, CancellationToken patience)
    {
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        try
        {
            await using var stream = await answer.Content.ReadAsStreamAsync(patience);
            if (stream.CanWrite)
            {
                await stream.WriteAsync(Encoding.Latin1.GetBytes(RawFront.Greeting), patience);
                await stream.FlushAsync(patience);
            }

            for (int read; (read = await stream.ReadAsync(buffer, patience)) > 0;)
            {
                body.Write(buffer, 0, read);
                exchange.BodySeen.TrySetResult();
            }
        }
        finally
        {
            exchange.NoteBody("client: body", body);
        }
    }

    private static IEnumerable<HeaderLine> Lines(HttpHeaders headers) =>
        headers.NonValidated.SelectMany(header => header.Value.Select(value => new HeaderLine(header.Key, value)));

    private sealed class Upload(Exchange exchange) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            var first = true;
            foreach (var piece in exchange.Case.Pieces())
            {
                if (!first)
                {
                    await exchange.StepAsync(exchange.UploadSeen.Task, Exchange.UploadFirst);
                }

                await stream.WriteAsync(Encoding.Latin1.GetBytes(piece));
                await stream.FlushAsync();
                first = false;
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = exchange.Case.Body?.Length ?? 0;
            return !exchange.Case.Chunked;
        }
    }
}
