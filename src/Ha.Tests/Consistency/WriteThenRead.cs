using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Ha.Tests.Processes;
using Ha.Tests.Support;

namespace Ha.Tests.Consistency;

/// <summary>Clients that write a note through one node of the example and read it from another, each chosen at random.</summary>
internal sealed class WriteThenRead(ExampleCluster cluster, int clients) : IDisposable
{
    private const int Seed = 20251130;
    private const string Header = "X-Base-Position";
    private static readonly TimeSpan _comeAgain = TimeSpan.FromMilliseconds(100);

    // A cookie would bring the position along.
    private readonly ConcurrentQueue<(long Id, string Position)> _written = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false });

    /// <summary>Waits until every node reads again: the standby may be late with the schema as with everything else.</summary>
    public Task UntilReadableAsync(TimeSpan within) => Eventually.True(
        async () =>
        {
            var answers = await Task.WhenAll(cluster.Nodes.Select(node => cluster.SendAsync(node, "GET", "/notes")));
            return answers.All(answer => answer.Status == 200);
        },
        within, "all nodes can be read from");

    public void Dispose() => _http.Dispose();

    public Task<ReadRecord> RunAsync(int pairs, bool positions) => RunAsync(pairs, (random, record) => PairAsync(random, positions, record));

    /// <summary>Reads with the positions of what was written before, each once.</summary>
    public Task<ReadRecord> ReadAgainAsync(int reads)
    {
        var written = _written.ToArray();
        return RunAsync(reads, async (random, record) =>
        {
            var (id, position) = written[random.Next(written.Length)];
            await ReadAsync(random, id, position, record);
        });
    }

    private async Task<ReadRecord> RunAsync(int times, Func<Random, ReadRecord, Task> once)
    {
        var record = new ReadRecord();
        var next = 0;
        await Task.WhenAll(Enumerable.Range(0, clients).Select(async client =>
        {
            var random = new Random(Seed + client);
            while (Interlocked.Increment(ref next) <= times)
            {
                try
                {
                    await once(random, record);
                }
                catch (HttpRequestException)
                {
                    record.Fail();
                }
            }
        }));
        record.Took = TimeProvider.System.GetElapsedTime(record.Began);
        return record;
    }

    private async Task PairAsync(Random random, bool positions, ReadRecord record)
    {
        using var written = await _http.PostAsJsonAsync(new Uri(Any(random) + "/notes"), new { text = "hello" });
        if (written.StatusCode != HttpStatusCode.Created || !written.Headers.TryGetValues(Header, out var given))
        {
            record.Fail();
            return;
        }

        var id = (await written.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetInt64();
        var position = given.Single();
        _written.Enqueue((id, position));
        while (!await ReadAsync(random, id, positions ? position : null, record))
        {
            await Task.Delay(_comeAgain, TimeProvider.System);
        }
    }

    /// <returns>False: it is to come again.</returns>
    private async Task<bool> ReadAsync(Random random, long id, string? position, ReadRecord record)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"{Any(random)}/notes/{id}"));
        if (position is not null)
        {
            request.Headers.Add(Header, position);
        }

        var from = TimeProvider.System.GetTimestamp();
        using var read = await _http.SendAsync(request);
        var took = TimeProvider.System.GetElapsedTime(from);
        switch (read.StatusCode)
        {
            case HttpStatusCode.ServiceUnavailable when read.Headers.RetryAfter is not null:
                record.ComeAgain();
                return false;
            case HttpStatusCode.OK or HttpStatusCode.NotFound:
                record.Add(took, stale: read.StatusCode == HttpStatusCode.NotFound);
                return true;
            default:
                record.Fail();
                return true;
        }
    }

    private string Any(Random random) => cluster.Nodes[random.Next(cluster.Nodes.Count)].Url;
}

/// <summary>What the clients saw. Thread-safe.</summary>
internal sealed class ReadRecord
{
    private readonly ConcurrentBag<TimeSpan> _reads = [];
    private int _stale;
    private int _again;
    private int _failed;

    public long Began { get; } = TimeProvider.System.GetTimestamp();

    public TimeSpan Took { get; set; }

    public int Pairs => _reads.Count;

    public int Stale => _stale;

    public int Again => _again;

    public int Failed => _failed;

    public void Add(TimeSpan took, bool stale)
    {
        _reads.Add(took);
        Interlocked.Add(ref _stale, stale ? 1 : 0);
    }

    public void ComeAgain() => Interlocked.Increment(ref _again);

    public void Fail() => Interlocked.Increment(ref _failed);

    public TimeSpan Read(double quantile) => _reads.IsEmpty ? TimeSpan.Zero : _reads.Order().ElementAt(Math.Min(_reads.Count - 1, (int)(_reads.Count * quantile)));

    /// <summary>What reads took longer than the median of others.</summary>
    public IEnumerable<TimeSpan> AddedWaits(ReadRecord others)
    {
        var usual = others.Read(0.5);
        return _reads.Select(read => read - usual);
    }
}
