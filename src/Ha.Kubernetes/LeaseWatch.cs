using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using k8s;

namespace Ha.Kubernetes;

/// <summary>
/// One watch on the Lease for all who wait. It begins with the first of them and goes on until the end; when it breaks it is
/// opened anew from where it was, after a pause that doubles. What it misses is seen by those who poll anyway.
/// </summary>
internal sealed class LeaseWatch(ApiServer server, TimeProvider time) : IAsyncDisposable
{
    /// <summary>The server ends a watch after this time and up to twice as long, so that not all end at once.</summary>
    private const int ShortestSeconds = 240;

    /// <summary>How much later this side gives up, on a server that has forgotten the connection.</summary>
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _longestPause = TimeSpan.FromSeconds(30);

    /// <summary>A watch that lasted as long as this was a good one.</summary>
    private static readonly TimeSpan _good = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _end = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _next = NewSignal();
    private Task? _running;

    /// <exception cref="HttpRequestException">The server refuses to be watched.</exception>
    public Task WaitAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_end.IsCancellationRequested, this);
            _running ??= Task.Run(() => RunAsync(_end.Token), CancellationToken.None);
            return _next.Task.WaitAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task? running;
        lock (_lock)
        {
            if (_end.IsCancellationRequested)
            {
                return;
            }

            running = _running;
            _next.TrySetCanceled(CancellationToken.None);
            _end.Cancel();
        }

        await (running ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private async Task RunAsync(CancellationToken end)
    {
        string? from = null;
        for (var failures = 0; ; failures++)
        {
            var began = time.GetTimestamp();
            try
            {
                await foreach (var version in FollowAsync(from, end))
                {
                    from = version;
                }
            }
            catch (KubernetesException error) when (error.Status.Code is 410)
            {
                from = null;
            }
            catch (HttpRequestException error) when (error.StatusCode is HttpStatusCode.Gone)
            {
                from = null;
            }
            catch (HttpRequestException error) when (IsRefusal(error))
            {
                Fail(error);
            }
            catch (Exception) when (!end.IsCancellationRequested)
            {
                // It broke, as connections do. Those who wait go on waiting.
            }

            failures = time.GetElapsedTime(began) >= _good ? 0 : failures;
            if (from is null)
            {
                // What happened until the next watch begins, a deletion above all, would be missed.
                Wake();
            }

            await Task.Delay(Pause(failures), time, end);
        }
    }

    /// <summary>The versions to go on from.</summary>
    private async IAsyncEnumerable<string> FollowAsync(string? from, [EnumeratorCancellation] CancellationToken end)
    {
        var seconds = RandomNumberGenerator.GetInt32(ShortestSeconds, 2 * ShortestSeconds);
        using var tooLong = new CancellationTokenSource(TimeSpan.FromSeconds(seconds) + _grace, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(end, tooLong.Token);
        await foreach (var (type, lease) in server.WatchAsync(from, seconds, either.Token))
        {
            if (type is not WatchEventType.Bookmark)
            {
                Wake();
            }

            yield return lease.Metadata.ResourceVersion;
        }
    }

    private static bool IsRefusal(HttpRequestException error) =>
        error.StatusCode is >= HttpStatusCode.BadRequest and < HttpStatusCode.TooManyRequests;

    private TimeSpan Pause(int failures)
    {
        var longest = Math.Min(_firstPause.TotalMilliseconds * Math.Pow(2, failures), _longestPause.TotalMilliseconds);
        var drawn = TimeSpan.FromMilliseconds(longest / 2 + RandomNumberGenerator.GetInt32((int)longest) / 2.0);
        return drawn > server.AskedToWait ? drawn : server.AskedToWait;
    }

    private void Wake() => Renew().TrySetResult();

    private void Fail(Exception error)
    {
        var failed = Renew();
        failed.TrySetException(error);

        // Nobody may be waiting.
        _ = failed.Task.Exception;
    }

    private TaskCompletionSource Renew()
    {
        lock (_lock)
        {
            var last = _next;
            _next = NewSignal();
            return last;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
