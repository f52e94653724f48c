using System.Net;

namespace Ha.Kubernetes;

/// <summary>
/// Makes each call end when its token says so. The client reads an answer's body without a token, and a failed one's too, so
/// the body is read here first; HTTP/2 would keep sending into one dead connection, while a call of HTTP/1.1 that is given up
/// closes its own and the next one opens another.
/// </summary>
internal sealed class BoundedAnswers : DelegatingHandler
{
    /// <summary>etcd takes no object of more than 1.5 MiB.</summary>
    private const long MaxBodyBytes = 2 << 20;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Version = HttpVersion.Version11;
        var answer = await base.SendAsync(request, cancellationToken);
        if (answer.IsSuccessStatusCode && IsWatch(request.RequestUri!))
        {
            return answer;
        }

        try
        {
            await answer.Content.LoadIntoBufferAsync(MaxBodyBytes, cancellationToken);
            return answer;
        }
        catch
        {
            answer.Dispose();
            throw;
        }
    }

    private static bool IsWatch(Uri uri) => uri.Query.Contains("watch=true", StringComparison.Ordinal);
}
