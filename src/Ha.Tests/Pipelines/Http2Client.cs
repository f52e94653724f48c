using System.Net;

namespace Ha.Tests.Pipelines;

/// <summary>HTTP/2 with prior knowledge; one connection to each node, shared by all cases.</summary>
internal sealed class Http2Client : IDisposable
{
    private readonly HttpMessageInvoker _invoker = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseProxy = false,
        UseCookies = false,
    });

    public async Task<Seen> SendAsync(string url, RequestMessage message, CancellationToken leaves)
    {
        using var left = CancellationTokenSource.CreateLinkedTokenSource(leaves);
        using var request = Create(url, message, left);
        var seen = new Seen(Ending.Broken) { Reused = true };
        using var body = new MemoryStream();
        try
        {
            using var answer = await _invoker.SendAsync(request, left.Token);
            seen = seen with { Status = (int)answer.StatusCode, Headers = HeadersOf(answer) };
            await using var stream = await answer.Content.ReadAsStreamAsync(left.Token);
            await stream.CopyToAsync(body, left.Token);
            return seen with { Ending = Ending.Answered, Body = body.ToArray() };
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException or OperationCanceledException)
        {
            return left.IsCancellationRequested
                ? new Seen(Ending.Left)
                : seen with { Body = body.ToArray(), Failure = failure.GetBaseException().Message };
        }
    }

    public void Dispose() => _invoker.Dispose();

    private static HttpRequestMessage Create(string url, RequestMessage message, CancellationTokenSource left)
    {
        var request = new HttpRequestMessage(new HttpMethod(message.Plan.Method), url + message.Path)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        if (message.Plan.Method != "GET")
        {
            request.Content = new Pieces(message, left);
            request.Headers.ExpectContinue = message.Plan.Expects ? true : null;
        }

        foreach (var (name, value) in message.Headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                request.Content?.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return request;
    }

    private static Dictionary<string, string> HeadersOf(HttpResponseMessage answer)
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, values) in answer.Headers.NonValidated.Concat(answer.Content.Headers.NonValidated))
        {
            headers[name] = values.ToString();
        }

        return headers;
    }

    private sealed class Pieces(RequestMessage message, CancellationTokenSource left) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            foreach (var piece in message.Pieces())
            {
                await stream.WriteAsync(piece, cancellationToken);
                await stream.FlushAsync(cancellationToken);
            }

            if (message.Plan.LeavesInBody)
            {
                await left.CancelAsync();
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = message.Body.Length;
            return !message.Chunked;
        }
    }
}
