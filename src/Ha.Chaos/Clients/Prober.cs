using System.Collections.Concurrent;
using System.Text.Json;
using Ha.Chaos.History;

namespace Ha.Chaos.Clients;

/// <summary>Asks every node again and again whether it leads, and writes down each yes.</summary>
/// <param name="history">Gets each yes.</param>
/// <param name="nodes">Their ids and URLs.</param>
/// <param name="handler">How they are reached.</param>
/// <param name="clock">Real time.</param>
internal sealed class Prober(HistoryWriter history, IReadOnlyList<(string Id, string Url)> nodes, HttpMessageHandler handler, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan _every = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan _fresh = TimeSpan.FromMilliseconds(500);
    private readonly HttpClient _http = new(handler) { Timeout = TimeSpan.FromSeconds(3) };
    private readonly ConcurrentDictionary<string, Claim> _last = new(StringComparer.Ordinal);

    /// <summary>The id of the node that was last heard to lead, if that was just now.</summary>
    public string? Leader
    {
        get
        {
            var newest = _last.Values.MaxBy(c => c.Epoch);
            return newest is not null && history.Now - newest.Answered < _fresh.TotalMicroseconds
                ? newest.Node
                : null;
        }
    }

    public Task RunAsync(CancellationToken stop) => Task.WhenAll(nodes.Select(n => WatchAsync(n, stop)));

    public void Dispose() => _http.Dispose();

    private async Task WatchAsync((string Id, string Url) node, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(_every, clock);
        while (!stop.IsCancellationRequested)
        {
            var asked = history.Now;
            try
            {
                var answer = await _http.GetStringAsync($"{node.Url}/_ha/leader", stop);
                if (Read(node.Id, asked, history.Now, answer) is { } claim)
                {
                    _last[node.Id] = claim;
                    history.Add(claim);
                }

                await timer.WaitForNextTickAsync(stop);
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                await Task.Delay(_every, clock, CancellationToken.None);
            }
        }
    }

    private static Claim? Read(string node, long asked, long answered, string json)
    {
        using var document = JsonDocument.Parse(json);
        var leader = document.RootElement;
        return leader.GetProperty("is_self").GetBoolean()
            ? new Claim(node, asked, answered, leader.GetProperty("epoch").GetInt64(), Number(leader.GetProperty("lease_remaining_ms")),
                leader.GetProperty("quorum").GetString()!)
            : null;
    }

    private static double Number(JsonElement value) => value.ValueKind == JsonValueKind.Number ? value.GetDouble() : 0;
}
