using System.Net;
using System.Net.Sockets;
using Ha.Endpoints;
using Ha.Http;
using Ha.Security;
using Microsoft.Extensions.Logging;

namespace Ha.Hosting;

/// <summary>
/// Calls this node by its own <c>BASE_LOCAL_TARGET</c>, as the others will, and says what is wrong when that leads
/// nowhere or to somebody else. Until several calls in a row agree, on a new connection each: behind a balancer one may
/// come home by chance, and a predecessor that is about to end may answer the first ones.
/// </summary>
/// <param name="target">This node's URL.</param>
/// <param name="own">Recognises what arrives.</param>
/// <param name="handler">Connects as heartbeats do; disposed at the end of the look.</param>
/// <param name="clock">Times the pauses.</param>
/// <param name="logger">Told what is wrong.</param>
internal sealed class OwnAddressCheck(string target, OwnAddress own, HttpMessageHandler handler, TimeProvider clock, ILogger logger)
{
    private const int MostCalls = 6;

    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(500);

    // Kubernetes knows a pod of a headless service by name only once it is ready.
    private static readonly TimeSpan _longestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _patienceWithName = TimeSpan.FromMinutes(1);

    private enum Found
    {
        ThisNode,
        AnotherNode,
        Something,
        NoAnswer,
        NoConnection,
        NoName,
        Http2Only,
    }

    /// <summary>For one call.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Takes a second when all is well, a few when not, and a minute when the name stays unknown. Throws only when
    /// <paramref name="stopping"/> fires.
    /// </summary>
    /// <param name="listensOn">Where the server listens, for people.</param>
    /// <param name="stopping">Ends it early.</param>
    public async Task RunAsync(IEnumerable<string> listensOn, CancellationToken stopping)
    {
        using var client = new HttpMessageInvoker(handler);
        var outcomes = new List<Outcome>(MostCalls);
        var pause = _pause;
        var waited = TimeSpan.Zero;
        while (!IsSettled(outcomes))
        {
            if (outcomes.Count > 0)
            {
                await Task.Delay(_pause, clock, stopping);
            }

            var outcome = await LookAsync(client, stopping);
            while (outcome.Found == Found.NoName && waited < _patienceWithName)
            {
                await Task.Delay(pause, clock, stopping);
                waited += pause;
                pause = pause * 2 < _longestPause ? pause * 2 : _longestPause;
                outcome = await LookAsync(client, stopping);
            }

            outcomes.Add(outcome);
        }

        Say(outcomes, listensOn);
    }

    private static bool IsSettled(List<Outcome> outcomes) =>
        outcomes.Count == MostCalls
        || outcomes is [.., { Found: Found.Http2Only }]
        || (outcomes is [.., var first, var second, var third] && first.Found == second.Found && second.Found == third.Found);

    private void Say(List<Outcome> outcomes, IEnumerable<string> listensOn)
    {
        if (outcomes is [.., { Found: Found.Http2Only }])
        {
            if (target.StartsWith("https:", StringComparison.Ordinal))
            {
                logger.OwnAddressTakesHttp2Only(target);
            }
            else
            {
                logger.OwnAddressTakesClearHttp2Only(target);
            }

            return;
        }

        if (outcomes.TakeLast(3).All(outcome => outcome.Found == Found.ThisNode))
        {
            return;
        }

        var elsewhere = outcomes.Where(outcome => outcome.Found is Found.AnotherNode or Found.Something).ToArray();
        if (elsewhere.Length > 1)
        {
            var somebody = string.Join(" and ", elsewhere.Select(outcome => outcome.What).Distinct(StringComparer.Ordinal));
            logger.OwnAddressLeadsElsewhere(target, somebody, elsewhere.Length, outcomes.Count);
        }
        else if (outcomes[^1] is { Found: Found.NoAnswer or Found.NoConnection or Found.NoName, What: var failure })
        {
            logger.OwnAddressNotReached(target, failure, string.Join(", ", listensOn));
        }
    }

    private async Task<Outcome> LookAsync(HttpMessageInvoker client, CancellationToken stopping)
    {
        var outcome = await CallAsync(client, HttpVersion.Version11, stopping);
        return outcome.Found is Found.Something or Found.NoAnswer
            && (await CallAsync(client, HttpVersion.Version20, stopping)).Found == Found.ThisNode
            ? new Outcome(Found.Http2Only, "this node")
            : outcome;
    }

    private async Task<Outcome> CallAsync(HttpMessageInvoker client, Version version, CancellationToken stopping)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        timeout.CancelAfter(Patience);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(target + HaRoutes.Health))
        {
            Version = version,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Headers = { { HaHeaders.Probe, own.Token } },
        };
        request.Headers.ConnectionClose = version.Major < 2;
        var before = own.Arrivals;
        try
        {
            using var answer = await client.SendAsync(request, timeout.Token);
            return own.Arrivals > before ? new Outcome(Found.ThisNode, "this node")
                : answer.Headers.TryGetValues(HaHeaders.Node, out var ids) ? new Outcome(Found.AnotherNode, $"node {string.Join(',', ids)}")
                : new Outcome(Found.Something, $"something else (status {(int)answer.StatusCode})");
        }
        catch (HttpRequestException failure)
        {
            return new Outcome(Classify(failure), TlsFailure.Explain(failure) ?? failure.GetBaseException().Message);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            return new Outcome(Found.NoConnection, "no answer in time");
        }
    }

    private static Found Classify(HttpRequestException failure) => failure switch
    {
        { HttpRequestError: HttpRequestError.NameResolutionError } => Found.NoName,
        { InnerException: SocketException { SocketErrorCode: SocketError.TryAgain } } => Found.NoName,
        { HttpRequestError: HttpRequestError.ConnectionError } => Found.NoConnection,
        _ => Found.NoAnswer,
    };

    /// <param name="Found">What is at the URL.</param>
    /// <param name="What">The same in words: who answered, or why nobody did.</param>
    private readonly record struct Outcome(Found Found, string What);
}
