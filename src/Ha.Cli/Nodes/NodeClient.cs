using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Security;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ha.Endpoints;
using Ha.Http;
using Ha.Security;

namespace Ha.Cli.Nodes;

/// <summary>
/// Asks nodes what they know and tells them what to do. Requests go to the URLs it is given and nowhere else: it follows no
/// redirect and uses no proxy, so the token stays among the nodes. Thread-safe.
/// </summary>
internal sealed class NodeClient : IDisposable
{
    private const int MaxAnswerBytes = 1024 * 1024;
    private const string Closed =
        "it closed the connection instead of answering; with TLS it may want https:// or another client certificate (BASE_CLIENT_CERT_FILE)";

    private const string Distrust = "is not trusted here; name that authority's file with --ca or BASE_CA_FILE";

    private readonly HttpClient _http;
    private readonly string? _token;
    private readonly string _whyNoToken;
    private readonly TimeSpan _patience;

    /// <param name="token">The admin token; null: there is none.</param>
    /// <param name="patience">How long one node may take to answer.</param>
    /// <param name="tls">How to check the nodes and what to show them; null: as the machine does, and nothing.</param>
    /// <param name="whyNoToken">A clause about a node that wants the token.</param>
    public NodeClient(
        string? token, TimeSpan patience, SslClientAuthenticationOptions? tls = null, string whyNoToken = AdminTokens.Missing)
    {
        (_token, _patience, _whyNoToken) = (token, patience, whyNoToken);
        var handler = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false };
        handler.SslOptions = tls ?? handler.SslOptions;
        _http = new HttpClient(handler) { MaxResponseContentBufferSize = MaxAnswerBytes, Timeout = patience };
    }

    /// <summary>Never throws but for <paramref name="cancellationToken"/>.</summary>
    public async Task<NodeAnswer> AskAsync(string url, CancellationToken cancellationToken)
    {
        var asking = GetAsync(url, HaRoutes.Leader, EndpointJson.Default.LeaderAnswer, cancellationToken);
        var (members, trouble) = await GetAsync(url, HaRoutes.Peers, EndpointJson.Default.PeerAnswerArray, cancellationToken);
        var (leader, leaderTrouble) = await asking;
        if ((trouble ?? leaderTrouble) is { } first)
        {
            return new NodeAnswer(url) { Trouble = first };
        }

        var self = Array.Find(members!, member => member is { IsSelf: true });
        var whole = leader?.NodeId is not null && Array.TrueForAll(members!, m => m is { NodeId: not null, Target: not null, Role: not null });
        return self is null || !whole
            ? new NodeAnswer(url) { Trouble = NotANode() }
            : new NodeAnswer(url) { Leader = leader, Self = self, Members = members! };
    }

    /// <summary>Null when the node takes requests, otherwise what it says instead.</summary>
    public Task<Trouble?> AskReadyAsync(string url, CancellationToken cancellationToken) =>
        CatchAsync<Trouble?>(async () =>
        {
            using var answer = await _http.GetAsync(url + HaRoutes.HealthReady, cancellationToken);
            var words = (await answer.Content.ReadAsStringAsync(cancellationToken)).Trim();
            return (answer.StatusCode, words) switch
            {
                (HttpStatusCode.OK, "ok") => null,
                (HttpStatusCode.ServiceUnavailable, "draining" or "quarantined") => new Trouble(ExitCode.TimedOut, words),
                _ => await TroubleOfAsync(answer, cancellationToken) ?? NotANode(),
            };
        }, trouble => trouble, cancellationToken);

    /// <summary>With the token, once.</summary>
    /// <param name="url">The node.</param>
    /// <param name="route">What to do.</param>
    /// <param name="to">Who is to lead next; null: whoever comes next.</param>
    /// <param name="cancellationToken">Ends the wait for the answer.</param>
    public Task<ActionAnswer> PostAsync(string url, string route, string? to, CancellationToken cancellationToken) =>
        CatchAsync(async () =>
        {
            // Always a content object: without one the handler may send the request twice.
            using var request = new HttpRequestMessage(HttpMethod.Post, url + route);
            request.Content = JsonContent.Create(new StepDownRequest(to), EndpointJson.Default.StepDownRequest);
            using var answer = await SendAsync(request, withToken: true, cancellationToken);
            if (answer.StatusCode != HttpStatusCode.Accepted)
            {
                return new ActionAnswer("", await TroubleOfAsync(answer, cancellationToken) ?? NotANode());
            }

            var accepted = await answer.Content.ReadFromJsonAsync(EndpointJson.Default.StepDownAnswer, cancellationToken);
            return new ActionAnswer(accepted?.Successor ?? "");
        }, trouble => new ActionAnswer("", trouble), cancellationToken);

    public void Dispose() => _http.Dispose();

    /// <summary>Without the token first: most clusters tell everybody who leads.</summary>
    private Task<(T? Value, Trouble? Trouble)> GetAsync<T>(
        string url, string route, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class =>
        CatchAsync(async () =>
        {
            for (var withToken = false; ; withToken = true)
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, url + route);
                using var answer = await SendAsync(request, withToken, cancellationToken);
                if (answer.StatusCode == HttpStatusCode.Unauthorized && !withToken && _token is not null)
                {
                    continue;
                }

                var trouble = answer.StatusCode == HttpStatusCode.OK ? null : await TroubleOfAsync(answer, cancellationToken) ?? NotANode();
                var value = trouble is null ? await answer.Content.ReadFromJsonAsync(type, cancellationToken) : null;
                return (value, value is null ? trouble ?? NotANode() : null);
            }
        }, trouble => ((T?)null, (Trouble?)trouble), cancellationToken);

    private Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, bool withToken, CancellationToken cancellationToken)
    {
        request.Headers.Authorization = withToken && _token is not null ? new AuthenticationHeaderValue("Bearer", _token) : null;
        return _http.SendAsync(request, cancellationToken);
    }

    private async Task<T> CatchAsync<T>(Func<Task<T>> ask, Func<Trouble, T> failed, CancellationToken cancellationToken)
    {
        try
        {
            return await ask();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The other one: a charset that nobody knows.
            return failed(NotANode());
        }
        catch (HttpRequestException e)
        {
            var why = e.HttpRequestError == HttpRequestError.ResponseEnded ? Closed
                : TlsFailure.Explain(e, Distrust) ?? e.GetBaseException().Message;
            return failed(new Trouble(ExitCode.NotReachable, why));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return failed(new Trouble(ExitCode.NotReachable, $"no answer within {Durations.Show(_patience)}"));
        }
    }

    private async Task<Trouble?> TroubleOfAsync(HttpResponseMessage answer, CancellationToken cancellationToken) => answer.StatusCode switch
    {
        HttpStatusCode.Unauthorized => new Trouble(
            ExitCode.WrongToken, _token is null ? _whyNoToken : "it does not take this admin token"),
        HttpStatusCode.NotFound => new Trouble(
            ExitCode.NoSuchRoute, "it has no such route: BASE_ADMIN_TOKEN is not set there, or it is no node of an application with Ha"),
        HttpStatusCode.Conflict => new Trouble(
            ExitCode.Refused, (await answer.Content.ReadFromJsonAsync(CliJson.Default.Refusal, cancellationToken))?.Error ?? "conflict"),
        >= HttpStatusCode.Ambiguous and < HttpStatusCode.BadRequest => new Trouble(
            ExitCode.Failed, $"it answers {(int)answer.StatusCode}, and redirects are not followed"),
        HttpStatusCode.OK or HttpStatusCode.Accepted => null,
        _ => new Trouble(ExitCode.Failed, $"it answers {(int)answer.StatusCode}"),
    };

    private static Trouble NotANode() => new(ExitCode.Failed, "it answers, but not as a node does");
}
