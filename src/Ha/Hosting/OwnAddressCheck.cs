using System.Net;
using Ha.Endpoints;
using Ha.Forwarding;
using Ha.Heartbeat;
using Ha.Tls;
using Microsoft.Extensions.Logging;

namespace Ha.Hosting;

/// <summary>
/// Calls this node by its own <c>BASE_LOCAL_TARGET</c>, as the others will, and says what is wrong when that leads
/// nowhere or to somebody else. Several times, on a new connection each: behind a balancer one call may come home by
/// chance, and a name may take a moment to be known.
/// </summary>
/// <param name="target">This node's URL.</param>
/// <param name="own">Recognises what arrives.</param>
/// <param name="tls">How members are checked and what is shown to them.</param>
/// <param name="logger">Told what is wrong.</param>
internal sealed class OwnAddressCheck(string target, OwnAddress own, NodeTls tls, ILogger logger)
{
    private const int Calls = 3;

    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(1);

    /// <summary>Takes a second when all is well, and a few when not. Throws only when <paramref name="stopping"/> fires.</summary>
    /// <param name="listensOn">Where the server listens, for people.</param>
    /// <param name="stopping">Ends it early.</param>
    public async Task RunAsync(IEnumerable<string> listensOn, CancellationToken stopping)
    {
        using var client = new HttpMessageInvoker(PeerHandler.Create(_patience, tls));
        Outcome outcome = default;
        string? somebody = null;
        for (var call = 0; call < Calls; call++)
        {
            if (call > 0)
            {
                await Task.Delay(_pause, stopping);
            }

            outcome = await CallAsync(client, HttpVersion.Version11, stopping);
            if (outcome is { Arrived: false, Connected: true } && (await CallAsync(client, HttpVersion.Version20, stopping)).Arrived)
            {
                logger.OwnAddressTakesHttp2Only(target);
                return;
            }

            somebody ??= outcome.AnsweredBy;
        }

        if (somebody is not null)
        {
            logger.OwnAddressLeadsElsewhere(target, somebody);
        }
        else if (outcome.Failure is { } failure)
        {
            logger.OwnAddressNotReached(target, failure, string.Join(", ", listensOn));
        }
    }

    private async Task<Outcome> CallAsync(HttpMessageInvoker client, Version version, CancellationToken stopping)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        timeout.CancelAfter(_patience);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(target + "/_ha/healthz"))
        {
            Version = version,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Headers = { { OwnAddress.Header, own.Token } },
        };
        request.Headers.ConnectionClose = version.Major < 2;
        var before = own.Arrivals;
        try
        {
            using var answer = await client.SendAsync(request, timeout.Token);
            return own.Arrivals > before
                ? new Outcome(Arrived: true, Connected: true, AnsweredBy: null, Failure: null)
                : new Outcome(Arrived: false, Connected: true, Somebody(answer), Failure: null);
        }
        catch (HttpRequestException failure)
        {
            var connected = failure.HttpRequestError is not (HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError);
            return new Outcome(Arrived: false, connected, AnsweredBy: null, TlsFailure.Explain(failure) ?? failure.GetBaseException().Message);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            return new Outcome(Arrived: false, Connected: false, AnsweredBy: null, "no answer in time");
        }
    }

    private static string Somebody(HttpResponseMessage answer) =>
        answer.Headers.TryGetValues(HaHeaders.Node, out var ids)
            ? $"node {string.Join(',', ids)}"
            : $"something that is not this node (status {(int)answer.StatusCode})";

    /// <param name="Arrived">The call came back to this process.</param>
    /// <param name="Connected">Somebody was there.</param>
    /// <param name="AnsweredBy">Who, when it was not this process.</param>
    /// <param name="Failure">Why there was no answer.</param>
    private readonly record struct Outcome(bool Arrived, bool Connected, string? AnsweredBy, string? Failure);
}
