using System.Net.Http.Headers;
using System.Text;
using Ha.Chaos.Network;

namespace Ha.Chaos.Clients;

/// <summary>An ordinary <see cref="HttpClient"/> that follows redirects itself, body and all, and repeats nothing.</summary>
internal sealed class PlainClient : IClient, IDisposable
{
    private const int MaxHops = 4;
    private readonly HttpClient _http;

    public PlainClient(NamespaceSockets sockets, TimeSpan patience) => _http = new HttpClient(sockets.NewHandler()) { Timeout = patience };

    public string Name => "http";

    public async Task<Answer> SendAsync(string node, HttpMethod method, string path, string? json, string? key, CancellationToken cancellationToken)
    {
        var where = new Uri(node + path);
        try
        {
            for (var hop = 0; ; hop++)
            {
                using var request = NewRequest(method, where, json, key);
                using var response = await _http.SendAsync(request, cancellationToken);
                if ((int)response.StatusCode == 307 && response.Headers.Location is { } next)
                {
                    if (hop == MaxHops)
                    {
                        return Answer.Lost($"more than {MaxHops} redirects", sent: false);
                    }

                    where = new Uri(where, next);
                    continue;
                }

                return Answer.From((int)response.StatusCode, response.Headers.Contains("X-Base-Not-Executed"),
                    await response.Content.ReadAsStringAsync(cancellationToken));
            }
        }
        catch (HttpRequestException e)
        {
            return Answer.Lost(e.Message, sent: e.HttpRequestError != HttpRequestError.ConnectionError);
        }
        catch (OperationCanceledException e)
        {
            return Answer.Lost(e.Message, sent: true);
        }
    }

    public void Dispose() => _http.Dispose();

    internal static HttpRequestMessage NewRequest(HttpMethod method, Uri where, string? json, string? key)
    {
        var request = new HttpRequestMessage(method, where);
        if (json is not null)
        {
            request.Content = new StringContent(json, Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        }

        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", $"\"{key}\"");
        }

        return request;
    }
}
