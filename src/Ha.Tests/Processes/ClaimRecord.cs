using Ha.Chaos.Checking;
using Ha.Chaos.Clients;
using Ha.Chaos.History;
using Ha.Cli.Cluster;

namespace Ha.Tests.Processes;

/// <summary>Asks every node twenty times a second whether it leads, and lets the checker of <c>Ha.Chaos</c> judge what they said.</summary>
internal sealed class ClaimRecord : IAsyncDisposable
{
    private readonly string _path = Path.GetTempFileName();
    private readonly CancellationTokenSource _stop = new();
    private readonly HistoryWriter _history;
    private readonly Prober _prober;
    private readonly Task _asking;

    public ClaimRecord(IReadOnlyList<NodeProcess> nodes)
    {
        _history = new HistoryWriter(_path, TimeProvider.System);
        _prober = new Prober(_history, [.. nodes.Select(n => (n.Id, n.Url))], new SocketsHttpHandler { UseProxy = false }, TimeProvider.System);
        _asking = _prober.RunAsync(_stop.Token);
    }

    /// <summary>How often a node said that it leads. Known at the end.</summary>
    public int Count { get; private set; }

    /// <summary>In how many epochs. Known at the end.</summary>
    public int Epochs { get; private set; }

    /// <summary>Stops asking; two leaders at one moment, and epochs that do not rise.</summary>
    public async Task<IReadOnlyList<string>> EndAsync()
    {
        await _stop.CancelAsync();
        await _asking;
        await _history.DisposeAsync();
        var claims = HistoryFile.Read(_path).OfType<Claim>().ToArray();
        (Count, Epochs) = (claims.Length, claims.DistinctBy(c => c.Epoch).Count());
        return [.. claims.Where(c => !c.IsPromised).Select(c => $"{c.Node} led with a quorum called {c.Quorum}").Distinct(), .. ClaimCheck.Violations(claims)];
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _asking;
        await _history.DisposeAsync();
        _prober.Dispose();
        _stop.Dispose();
        File.Delete(_path);
    }
}
