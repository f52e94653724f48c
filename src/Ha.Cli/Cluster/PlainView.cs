namespace Ha.Cli.Cluster;

/// <summary>For pipes and log files: one line per event, commands from standard input.</summary>
internal sealed class PlainView(LocalCluster cluster, WriteLoad load, EventLog events, TimeProvider clock)
{
    private static readonly TimeSpan _summaryEvery = TimeSpan.FromSeconds(10);

    public void Start()
    {
        events.OnAdded = e => Write(e.At, e.Text);
        events.Add($"{cluster.Nodes.Count} nodes of {cluster.App.Name}, {cluster.Settings.Mode} mode, "
            + $"heartbeat {Durations.Show(cluster.Settings.EffectiveInterval)}, lease {Durations.Show(cluster.Settings.EffectiveLease)}");
        events.Add($"commands on standard input: {ClusterOperator.Help}");
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(_summaryEvery, clock);
        for (var told = StatusWords.Writes(load); await timer.WaitForNextTickAsync(cancellationToken);)
        {
            var writes = StatusWords.Writes(load);
            if (writes != told)
            {
                told = writes;
                events.Add($"writes: {writes}");
            }
        }
    }

    private static void Write(DateTimeOffset at, string text) => Console.WriteLine($"{at:HH:mm:ss.fff}  {text}");
}
