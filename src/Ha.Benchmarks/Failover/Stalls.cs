using System.Diagnostics;

namespace Ha.Benchmarks.Failover;

/// <summary>
/// A thread that sleeps for a millisecond at a time and notes by how much too long: what this machine took from everybody on
/// it, whoever was to blame.
/// </summary>
internal sealed class Stalls : IDisposable
{
    private const double WorthNoting = 10;

    private readonly List<(long End, double Milliseconds)> _seen = [];
    private readonly Thread _thread;
    private volatile bool _over;

    public Stalls()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "stalls" };
        _thread.Start();
    }

    /// <summary>The longest that ended in the time before <paramref name="moment"/>, ms; 0 if none took 10 ms.</summary>
    public double LongestBefore(long moment, TimeSpan time)
    {
        lock (_seen)
        {
            return _seen.Where(stall => stall.End <= moment && Stopwatch.GetElapsedTime(stall.End, moment) <= time)
                .Select(stall => stall.Milliseconds).DefaultIfEmpty().Max();
        }
    }

    public void Dispose()
    {
        _over = true;
        _thread.Join();
    }

    private void Run()
    {
        while (!_over)
        {
            var began = Stopwatch.GetTimestamp();
            Thread.Sleep(1);
            var late = Stopwatch.GetElapsedTime(began).TotalMilliseconds - 1;
            if (late >= WorthNoting)
            {
                lock (_seen)
                {
                    _seen.Add((Stopwatch.GetTimestamp(), late));
                }
            }
        }
    }
}
