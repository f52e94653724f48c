using System.Diagnostics;
using System.Text.Json;

namespace Ha.Benchmarks.Failover;

/// <summary>What one member says of leadership.</summary>
internal sealed record Claim(string NodeId, string Url, long Epoch, bool IsSelf);

/// <summary>
/// Asks every member all the time who leads. Of a leadership in one epoch the time between the first answer that claims
/// it and the last question that was answered so is certain; two members' certain times must not overlap, and no epoch
/// may be claimed by two.
/// </summary>
internal sealed class LeaderWatch(IReadOnlyList<string> urls) : IAsyncDisposable
{
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(10);

    private readonly HttpClient _client = new() { Timeout = TimeSpan.FromSeconds(2) };
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<(Process Who, long Epoch), (long From, long To)> _terms = [];
    private readonly int[] _lives = new int[urls.Count];
    private readonly List<Task> _loops = [];
    private long _answers;

    public long Answers => Interlocked.Read(ref _answers);

    /// <summary>When each leadership was first seen, as <see cref="Stopwatch.GetTimestamp"/> counts, in order.</summary>
    public IReadOnlyList<long> Beginnings
    {
        get
        {
            lock (_terms)
            {
                return [.. _terms.Values.Select(term => term.From).Order()];
            }
        }
    }

    public int Overlaps
    {
        get
        {
            lock (_terms)
            {
                var terms = _terms.ToList();
                return terms.Sum(a => terms.Count(b => (a.Key.Who.Node, a.Key.Who.Life).CompareTo((b.Key.Who.Node, b.Key.Who.Life)) < 0
                    && (a.Key.Epoch == b.Key.Epoch || (a.Value.From < b.Value.To && b.Value.From < a.Value.To))));
            }
        }
    }

    public void Start()
    {
        for (var node = 0; node < urls.Count; node++)
        {
            _loops.Add(LoopAsync(node));
        }
    }

    /// <summary>
    /// The process of this member is dead; the next one is another. What the dead one has said may still arrive.
    /// </summary>
    public void Forget(int node) => Interlocked.Increment(ref _lives[node]);

    public async Task<Claim?> AskAsync(int node)
    {
        var asked = Stopwatch.GetTimestamp();
        var who = new Process(node, Volatile.Read(ref _lives[node]));
        try
        {
            using var answer = await _client.GetAsync(new Uri(urls[node] + "/_ha/leader"), _stop.Token);
            using var json = await JsonDocument.ParseAsync(await answer.Content.ReadAsStreamAsync());
            var claim = new Claim(
                json.RootElement.GetProperty("node_id").GetString() ?? "",
                json.RootElement.GetProperty("leader_url").GetString() ?? "",
                json.RootElement.GetProperty("epoch").GetInt64(),
                json.RootElement.GetProperty("is_self").GetBoolean());
            Interlocked.Increment(ref _answers);
            Note(who, claim, asked);
            return claim;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Asks nobody any more. May be called again.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_loops);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _client.Dispose();
        _stop.Dispose();
    }

    private async Task LoopAsync(int node)
    {
        while (!_stop.IsCancellationRequested)
        {
            await AskAsync(node);
            await Task.Delay(_pause, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Note(Process who, Claim claim, long asked)
    {
        if (!claim.IsSelf)
        {
            return;
        }

        var now = Stopwatch.GetTimestamp();
        lock (_terms)
        {
            _terms[(who, claim.Epoch)] = _terms.TryGetValue((who, claim.Epoch), out var term)
                ? (term.From, Math.Max(term.To, asked))
                : (now, asked);
        }
    }

    private readonly record struct Process(int Node, int Life);
}
