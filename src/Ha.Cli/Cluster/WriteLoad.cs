using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace Ha.Cli.Cluster;

/// <summary>
/// A gentle client: sends one write at a steady rate through the nodes that do not lead, as an ordinary client would that
/// follows redirects and tries another node when one does not answer. Each keeps its <c>Idempotency-Key</c>.
/// </summary>
internal sealed class WriteLoad(LocalCluster cluster, NodeWatcher watcher, TimeProvider clock) : IDisposable
{
    private const int MaxRunning = 100;
    private static readonly TimeSpan _giveUp = TimeSpan.FromSeconds(15);

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
    {
        // Shorter than a person's patience; a paused node accepts connections and never answers.
        Timeout = TimeSpan.FromSeconds(4),
    };

    private readonly Lock _lock = new();
    private readonly RateHistory _history = new(clock);
    private int _running;
    private int _next;
    private long _lastOk;

    public long Ok { get; private set; }

    /// <summary>Writes that succeeded, but not at the first try.</summary>
    public long Retried { get; private set; }

    public long Failed { get; private set; }

    /// <summary>How long the last good write took.</summary>
    public TimeSpan LastTook { get; private set; }

    /// <summary>The longest time in which no write succeeded.</summary>
    public TimeSpan LongestGap { get; private set; }

    /// <summary>Why the last failed attempt failed; empty while none has.</summary>
    public string LastTrouble { get; private set; } = "";

    /// <summary>Successes in each of the last half seconds, oldest first.</summary>
    public int[] Recent(int count)
    {
        lock (_lock)
        {
            return _history.Recent(count);
        }
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (cluster.Settings.Load is not { } write)
        {
            return;
        }

        while (watcher.Leader is null)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), clock, cancellationToken);
        }

        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1) / cluster.Settings.Rate, clock);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            if (Interlocked.Increment(ref _running) <= MaxRunning)
            {
                _ = WriteAsync(write, cancellationToken);
            }
            else
            {
                Interlocked.Decrement(ref _running);
            }
        }
    }

    public void Dispose() => _http.Dispose();

    [SuppressMessage("Design", "CA1031", Justification = "A client counts what went wrong, whatever it was.")]
    private async Task WriteAsync(LoadRequest write, CancellationToken cancellationToken)
    {
        var start = clock.GetTimestamp();
        var key = Guid.NewGuid().ToString("N");
        try
        {
            for (var attempt = 1; clock.GetElapsedTime(start) < _giveUp; attempt++)
            {
                var answered = await AttemptAsync(write, key, cancellationToken);
                if (answered is { } status && IsSuccess(status))
                {
                    Count(start, attempt > 1);
                    return;
                }

                if (answered is { } refusal && IsFinal(refusal))
                {
                    break;
                }

                await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(50 * attempt, 500)), clock, cancellationToken);
            }

            Failed++;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
        catch (Exception e)
        {
            Failed++;
            LastTrouble = e.Message;
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    /// <summary>Whether it would be answered so again and again.</summary>
    public static bool IsFinal(HttpStatusCode status) =>
        status is >= HttpStatusCode.Ambiguous and < HttpStatusCode.InternalServerError and not (HttpStatusCode.RequestTimeout
            or HttpStatusCode.Conflict or (HttpStatusCode)425 or HttpStatusCode.TooManyRequests);

    private static bool IsSuccess(HttpStatusCode status) => status is >= HttpStatusCode.OK and < HttpStatusCode.Ambiguous;

    /// <summary>One request to a node that does not lead, and to where it points. Null: no answer.</summary>
    private async Task<HttpStatusCode?> AttemptAsync(LoadRequest write, string key, CancellationToken cancellationToken)
    {
        var url = new Uri($"{NextFollower().Url}{write.Target}");
        try
        {
            for (var hop = 0; hop < 3; hop++)
            {
                using var request = write.To(url, key);
                using var answer = await _http.SendAsync(request, cancellationToken);
                if (answer.StatusCode == HttpStatusCode.TemporaryRedirect && answer.Headers.Location is { } leader)
                {
                    url = new Uri(url, leader);
                    continue;
                }

                LastTrouble = IsSuccess(answer.StatusCode) ? LastTrouble : $"{(int)answer.StatusCode} from {url.Authority}";
                return answer.StatusCode;
            }
        }
        catch (Exception e) when (e is HttpRequestException || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            LastTrouble = $"{url.Authority}: {(e is TaskCanceledException ? "no answer" : e.Message)}";
        }

        return null;
    }

    private NodeProcess NextFollower()
    {
        var status = watcher.Status;
        var alive = status.Where(s => s is { Answers: true, Leads: false }).ToArray();
        var choice = alive.Length > 0 ? alive : [.. status];
        return choice[(uint)Interlocked.Increment(ref _next) % choice.Length].Node;
    }

    private void Count(long start, bool retried)
    {
        lock (_lock)
        {
            var now = clock.GetTimestamp();
            Ok++;
            _history.Add();
            Retried += retried ? 1 : 0;
            LastTook = clock.GetElapsedTime(start, now);
            var gap = _lastOk == 0 ? TimeSpan.Zero : clock.GetElapsedTime(_lastOk, now);
            LongestGap = gap > LongestGap ? gap : LongestGap;
            _lastOk = now;
        }
    }
}
