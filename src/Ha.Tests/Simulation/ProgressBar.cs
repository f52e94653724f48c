namespace Ha.Tests.Simulation;

/// <summary>One line that is written over; silent when the output is not a terminal.</summary>
internal sealed class ProgressBar(TextWriter output, ulong total, TimeProvider clock)
{
    private static readonly TimeSpan _pace = TimeSpan.FromMilliseconds(250);
    private readonly long _started = clock.GetTimestamp();
    private readonly bool _terminal = !Console.IsOutputRedirected;
    private long _shown;

    public void Show(SeedSummary summary)
    {
        if (!_terminal || clock.GetElapsedTime(_shown) < _pace)
            return;

        _shown = clock.GetTimestamp();
        double done = (double)summary.Seeds / total;
        double rate = summary.Seeds / clock.GetElapsedTime(_started).TotalSeconds;
        int filled = (int)(done * 30);
        output.Write($"\r[{new string('#', filled)}{new string('.', 30 - filled)}] {done:P1} {summary.Seeds:N0} seeds, {rate:N0}/s, {summary.Counts.Events:N0} events ");
    }

    public void Clear()
    {
        if (_terminal)
            output.Write("\r" + new string(' ', 100) + "\r");
    }
}
