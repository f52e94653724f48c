namespace Ha.Grpc.Client.Repeating;

/// <summary>Exponential delays; jitter keeps the clients of a cluster from coming back all at once.</summary>
internal static class Backoff
{
    /// <param name="first">The delay of step 0.</param>
    /// <param name="max">No delay is longer.</param>
    /// <param name="step">Doubles the delay each time.</param>
    /// <param name="jitter">0 to 1: takes off up to half of the delay.</param>
    public static TimeSpan Delay(TimeSpan first, TimeSpan max, int step, double jitter)
    {
        var full = Math.Min(first.TotalMilliseconds * Math.Pow(2, Math.Min(step, 30)), max.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(full * (1 - (jitter / 2)));
    }
}
