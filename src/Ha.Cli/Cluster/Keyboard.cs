using Ha.Cli.Processes;

namespace Ha.Cli.Cluster;

/// <summary>Single keys for the terminal view.</summary>
internal sealed class Keyboard(LocalCluster cluster, LiveView view, ClusterOperator work, TimeProvider clock)
{
    /// <summary>Completes when the person quits.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            while (!Console.KeyAvailable)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(30), clock, cancellationToken);
            }

            var key = Console.ReadKey(intercept: true);
            if (key.KeyChar is 'q' or 'Q')
            {
                return;
            }

            Press(key, cancellationToken);
        }
    }

    private void Press(ConsoleKeyInfo key, CancellationToken cancellationToken)
    {
        if (key.Key == ConsoleKey.Escape || key.KeyChar == '0')
        {
            view.Chosen = null;
        }
        else if (key.KeyChar is >= '1' and <= '9' && key.KeyChar - '1' < cluster.Nodes.Count)
        {
            view.Chosen = cluster.Nodes[key.KeyChar - '1'];
        }
        else if (VerbOf(key.KeyChar) is { } verb)
        {
            // Not awaited: a restart takes a while, and the person goes on.
            _ = work.DoAsync(verb, view.Chosen?.Id ?? DefaultTarget(verb), cancellationToken);
        }
    }

    // Without a choice keys are about the leader, but only a node that is down can be started or continued.
    private string DefaultTarget(string verb) => verb switch
    {
        "restart" => First(ProcessState.Dead),
        "resume" => First(ProcessState.Paused),
        _ => "leader",
    };

    private string First(ProcessState state) => cluster.Nodes.FirstOrDefault(n => n.State == state)?.Id ?? "leader";

    private static string? VerbOf(char key) => char.ToLowerInvariant(key) switch
    {
        'k' => "kill",
        'p' => "pause",
        'c' => "resume",
        'r' => "restart",
        's' => "step-down",
        't' => "stop",
        _ => null,
    };
}
