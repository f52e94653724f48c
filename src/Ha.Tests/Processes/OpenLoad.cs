using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Ha.Tests.Support;

namespace Ha.Tests.Processes;

/// <summary>
/// Writes at a fixed rate whether or not earlier ones were answered, in turn through the doors of
/// <see cref="Through"/>, the way clients behind a balancer arrive.
/// </summary>
internal sealed class OpenLoad : IAsyncDisposable
{
    public const int DefaultRate = 200;

    private static readonly TimeSpan _tick = TimeSpan.FromMilliseconds(5);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<Task> _open = new();
    private readonly Func<Door, string, string?, Task<NodeAnswer>> _send;
    private readonly bool _findsItsWay;
    private readonly int _perSecond;
    private readonly Task _schedule;
    private Door[] _through;
    private readonly ConcurrentDictionary<string, int> _inFlight = new(StringComparer.Ordinal);

    public OpenLoad(ExampleCluster cluster, params Door[] through)
        : this(cluster, DefaultRate, through)
    {
    }

    /// <param name="cluster">Takes the writes.</param>
    /// <param name="perSecond">How many writes.</param>
    /// <param name="through">See <see cref="Through"/>.</param>
    public OpenLoad(ExampleCluster cluster, int perSecond, params Door[] through)
        : this(cluster.AddAsync, perSecond, through)
    {
    }

    /// <param name="send">Sends a text through a door, with a key or without one.</param>
    /// <param name="perSecond">How many writes.</param>
    /// <param name="through">See <see cref="Through"/>.</param>
    public OpenLoad(Func<Door, string, string?, Task<NodeAnswer>> send, int perSecond, params Door[] through)
    {
        (_send, _perSecond, _through) = (send, perSecond, through);
        _schedule = RunAsync();
    }

    /// <param name="send">Sends one text; finds its way by itself, so <see cref="Through"/> changes nothing.</param>
    /// <param name="perSecond">How many writes.</param>
    public OpenLoad(Func<string, Task<NodeAnswer>> send, int perSecond)
    {
        (_send, _findsItsWay, _perSecond, _through) = ((_, text, _) => send(text), true, perSecond, [new Door("client", "")]);
        _schedule = RunAsync();
    }

    /// <summary>Send an <c>Idempotency-Key</c> with each write.</summary>
    public bool Keys { get; init; }

    public ConcurrentQueue<WriteResult> Results { get; } = new();

    public IEnumerable<WriteResult> Failures => Results.Where(result => result.Failure is not null);

    public int InFlightThrough(Door door) => _inFlight.GetValueOrDefault(door.Id);

    /// <summary>Takes effect for the writes that are due from now on.</summary>
    public void Through(params Door[] doors) => Volatile.Write(ref _through, _findsItsWay ? _through : doors);

    /// <summary>Waits until as many more were answered, one way or the other, as are due in <paramref name="time"/>; a minute at most.</summary>
    public Task AnswersAsync(TimeSpan time)
    {
        var more = (int)(time.TotalSeconds * _perSecond);
        var goal = Results.Count + more;
        return Eventually.True(() => Results.Count >= goal, TimeSpan.FromSeconds(60), $"{more} more writes are answered");
    }

    /// <summary>Stops the schedule and waits for every answer.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _schedule;
        await Task.WhenAll(_open);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    /// <summary>How many writes were under way at some moment between the two.</summary>
    public int UnderWay(long from, long to) => Results.Count(result =>
        result.DueAt <= to && result.DueAt + (long)(result.Took.TotalSeconds * TimeProvider.System.TimestampFrequency) >= from);

    /// <summary>The worst and the 99th percentile of the writes that were due from a moment on, for a second.</summary>
    public (TimeSpan P99, TimeSpan Worst, int Count) InTheSecondAfter(long moment)
    {
        TimeSpan[] took = [.. Results
            .Where(r => r.DueAt >= moment && TimeProvider.System.GetElapsedTime(moment, r.DueAt) <= TimeSpan.FromSeconds(1))
            .Select(r => r.Took).Order()];
        return took.Length == 0 ? default : (took[(took.Length - 1) * 99 / 100], took[^1], took.Length);
    }

    /// <summary>
    /// How long after a moment the first write that was due since then was acknowledged, by another node than
    /// <paramref name="notBy"/>. Waits for it, a minute at most.
    /// </summary>
    public async Task<TimeSpan> FirstAcknowledgedAsync(long moment, string what, string? notBy = null)
    {
        TimeSpan[] times = [];
        await Eventually.True(
            () =>
            {
                times = [.. Results
                    .Where(r => r.DueAt >= moment && r.Failure is null && (notBy is null || r.AnsweredBy != notBy))
                    .Select(r => TimeProvider.System.GetElapsedTime(moment, r.DueAt) + r.Took)];
                return times.Length > 0;
            },
            TimeSpan.FromSeconds(60),
            $"a write after {what}");
        return times.Min();
    }

    /// <summary>The longest that a write took which was due in a time from a moment on.</summary>
    public TimeSpan LongestWait(long from, TimeSpan within) => Results
        .Where(r => r.DueAt >= from && TimeProvider.System.GetElapsedTime(from, r.DueAt) <= within).Select(r => r.Took).DefaultIfEmpty().Max();

    private async Task RunAsync()
    {
        await Task.Yield();
        using var timer = new PeriodicTimer(_tick);
        var start = TimeProvider.System.GetTimestamp();
        for (var sent = 0; !_stop.IsCancellationRequested; await timer.WaitForNextTickAsync())
        {
            var due = (int)(TimeProvider.System.GetElapsedTime(start).TotalSeconds * _perSecond);
            for (; sent < due; sent++)
            {
                var through = Volatile.Read(ref _through);
                _open.Enqueue(WriteAsync(through[sent % through.Length], $"write {sent}"));
            }
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever went wrong is what the test asks for.")]
    private async Task WriteAsync(Door door, string text)
    {
        var due = TimeProvider.System.GetTimestamp();
        string? failure = null, answeredBy = null;
        _inFlight.AddOrUpdate(door.Id, 1, static (_, count) => count + 1);
        try
        {
            var answer = await _send(door, text, Keys ? Guid.NewGuid().ToString("N") : null);
            failure = answer.Status == 201 ? null : $"{door.Id}: {answer.Status} {answer.Body}";
            answeredBy = answer.Header("X-Base-Node");
        }
        catch (Exception e)
        {
            failure = $"{door.Id}: {e.Message}";
        }

        _inFlight.AddOrUpdate(door.Id, 0, static (_, count) => count - 1);
        Results.Enqueue(new WriteResult(text, door, due, TimeProvider.System.GetElapsedTime(due), failure, answeredBy));
    }
}
