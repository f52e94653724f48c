using System.Diagnostics;

namespace Ha.Benchmarks.Failover;

/// <summary>
/// Writes from outside at a fixed pace, whether or not earlier ones are answered, so that nobody who holds writes and
/// nobody who refuses them is at an advantage.
/// </summary>
internal static class Probe
{
    private static readonly TimeSpan _limit = TimeSpan.FromSeconds(15);

    /// <summary>From now until the first write that was sent from now on is acknowledged.</summary>
    public static async Task<TimeSpan> FirstWriteAsync(Contender contender, int killed, long killedAt)
    {
        long first = 0;
        using var done = new CancellationTokenSource(_limit);
        var doors = contender.Doors(killed).ToList();
        var writes = new List<Task>();
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        do
        {
            writes.AddRange(doors.Select(WriteAsync));
        }
        while (Volatile.Read(ref first) == 0 && !done.IsCancellationRequested && await pace.WaitForNextTickAsync());

        await done.CancelAsync();
        await Task.WhenAll(writes);
        return first == 0 ? _limit : Stopwatch.GetElapsedTime(killedAt, first);

        async Task WriteAsync(int door)
        {
            if (await contender.WriteAsync(door, done.Token))
            {
                Interlocked.CompareExchange(ref first, Stopwatch.GetTimestamp(), 0);
                await done.CancelAsync();
            }
        }
    }

    /// <summary>The longest time without an acknowledged write while leadership moves on request.</summary>
    /// <param name="contender">Whose leadership moves.</param>
    /// <param name="leader">Who gives it away; no write goes through it.</param>
    /// <param name="move">Makes the request.</param>
    public static async Task<TimeSpan> GapAsync(Contender contender, int leader, Action<int> move)
    {
        var answered = new List<long>();
        using var done = new CancellationTokenSource();
        var doors = contender.Doors(leader).ToList();
        var writes = new List<Task>();
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(2));
        var started = Stopwatch.GetTimestamp();
        long told = 0;
        while (Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(1.2))
        {
            writes.AddRange(doors.Select(WriteAsync));
            await pace.WaitForNextTickAsync();
            if (told == 0 && Stopwatch.GetElapsedTime(started) > TimeSpan.FromMilliseconds(200))
            {
                told = Stopwatch.GetTimestamp();
                move(leader);
            }
        }

        done.CancelAfter(TimeSpan.FromSeconds(2));
        await Task.WhenAll(writes);
        answered.Sort();
        var since = answered.Where(time => time >= told).Prepend(told).ToList();
        return since.Zip(since.Skip(1), (from, to) => Stopwatch.GetElapsedTime(from, to)).DefaultIfEmpty(_limit).Max();

        async Task WriteAsync(int door)
        {
            if (await contender.WriteAsync(door, done.Token))
            {
                var now = Stopwatch.GetTimestamp();
                lock (answered)
                {
                    answered.Add(now);
                }
            }
        }
    }
}
