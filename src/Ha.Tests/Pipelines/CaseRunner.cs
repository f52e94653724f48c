using System.Net.Sockets;

namespace Ha.Tests.Pipelines;

/// <summary>What became of one case.</summary>
/// <param name="Case">The case.</param>
/// <param name="Violations">The promises that were broken.</param>
/// <param name="Account">What was seen and what ran, in words.</param>
/// <param name="Before">Seeds that the same nodes had served before.</param>
internal sealed record CaseResult(PipelineCase Case, IReadOnlyList<Violation> Violations, string Account, IReadOnlyList<int> Before)
{
    public int Requests => Case.Requests.Length;
}

/// <summary>Runs one case on a pair of nodes.</summary>
/// <param name="pair">The nodes.</param>
/// <param name="sabotage">A fault put in on purpose.</param>
/// <param name="patience">How long a client waits, and then how long the nodes may take to come to rest.</param>
internal sealed class CaseRunner(NodePair pair, Sabotage sabotage, TimeSpan patience)
{
    private const int MostHops = 4;

    /// <summary>False: something never came to its end, and the nodes are of no use any more.</summary>
    public bool IsUsable { get; private set; } = true;

    public async Task<CaseResult> RunAsync(PipelineCase drawn)
    {
        using var timeline = new Timeline(drawn, pair.Cluster);
        var ledger = new Ledger();
        var handler = new CaseHandler(drawn, ledger, timeline);
        pair.Cluster.Begin(drawn.FirstLeader);
        Array.ForEach(pair.Nodes, node => node.Become(drawn, handler, sabotage));
        int[] before = [.. pair.Served];
        pair.Served.Add(drawn.Seed);

        using var http1 = new Http1Client();
        var violations = new List<Violation>();
        var account = new System.Text.StringBuilder(drawn.Story());
        var left = false;
        for (var i = 0; i < drawn.Requests.Length && IsUsable; i++)
        {
            var seen = await ObserveAsync(drawn, i, timeline, http1);
            IsUsable = await ComesToRestAsync();
            var facts = new RequestFacts(drawn, drawn.Requests[i], seen, ledger.Of(drawn.Requests[i].Id), pair.Cluster.Disturbed)
            {
                Rested = IsUsable,
                WritesInside = pair.Nodes.Sum(node => node.Writes),
                Held = pair.Nodes.Sum(node => node.Held),
            };
            violations.AddRange(Invariants.Check(facts));
            Tell(account, i, facts);
            left |= facts.Last.Ending == Ending.Left;
        }

        // What a client has sent before it left may arrive later, and must not be taken for a fault of the next case.
        IsUsable &= !left;

        violations.AddRange(ledger.Strays.Select(id => new Violation("stray", $"request {id} of another case arrived")));
        return new CaseResult(drawn, violations, account.ToString(), before);
    }

    private async Task<IReadOnlyList<Seen>> ObserveAsync(PipelineCase drawn, int request, Timeline timeline, Http1Client http1)
    {
        using var over = new CancellationTokenSource();
        var held = WatchHeldAsync(request, timeline, over.Token);
        await timeline.ReachAsync(request, Moment.BeforeSend);
        var seen = await SendAsync(drawn, request, timeline, http1);
        await over.CancelAsync();
        await held;
        return seen;
    }

    // Follows redirects as a client would, and gives back every answer on the way.
    private async Task<IReadOnlyList<Seen>> SendAsync(PipelineCase drawn, int request, Timeline timeline, Http1Client http1)
    {
        var message = new RequestMessage(drawn, request, pair.Antiforgery);
        var leaves = timeline.Leaves(request);
        var node = pair.Nodes[message.Plan.Entry];
        var answers = new List<Seen>();
        while (true)
        {
            var seen = await SendOnceAsync(drawn, message, node, http1, leaves);
            answers.Add(seen);
            if (seen is not { Ending: Ending.Answered, Status: 307 } || answers.Count > MostHops || NodeAt(seen.Header("Location")) is not { } next)
            {
                return answers;
            }

            node = next;
        }
    }

    private async Task<Seen> SendOnceAsync(PipelineCase drawn, RequestMessage message, PipelineNode node, Http1Client http1, CancellationToken leaves)
    {
        var sending = drawn.Http2 ? pair.Http2.SendAsync(node.Http2Url, message, leaves) : http1.SendAsync(node.Url, message, leaves);
        try
        {
            return await sending.WaitAsync(patience, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            return new Seen(Ending.Silence);
        }
        catch (SocketException) when (leaves.IsCancellationRequested)
        {
            return new Seen(Ending.Left);
        }
    }

    private PipelineNode? NodeAt(string? location) =>
        Array.Find(pair.Nodes, node => location?.StartsWith(node.Url + "/", StringComparison.Ordinal) == true);

    private async Task WatchHeldAsync(int request, Timeline timeline, CancellationToken over)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        try
        {
            while (timeline.Expects(request, Moment.Held))
            {
                await timer.WaitForNextTickAsync(over);
                if (Array.Exists(pair.Nodes, node => node.Held > 0))
                {
                    await timeline.ReachAsync(request, Moment.Held);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // It was never held.
        }
    }

    private async Task<bool> ComesToRestAsync()
    {
        try
        {
            await Task.WhenAll(pair.Nodes.Select(node => node.Inside.WhenEmptyAsync())).WaitAsync(patience);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private static void Tell(System.Text.StringBuilder account, int request, RequestFacts facts)
    {
        foreach (var seen in facts.Answers)
        {
            account.AppendLine(System.Globalization.CultureInfo.InvariantCulture, $"  request {request} was seen: {seen}");
        }

        foreach (var run in facts.Runs)
        {
            account.AppendLine(System.Globalization.CultureInfo.InvariantCulture, $"  request {request}: {run}");
        }
    }
}
