using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Ha.Tests.Forwarding;

namespace Ha.Tests.OnTheWire;

/// <summary>What a client knows of its write.</summary>
internal enum WireOutcome
{
    /// <summary>2xx with exactly the right bytes.</summary>
    Acknowledged,

    /// <summary>The answer says that nothing was executed.</summary>
    Refused,

    /// <summary>502 <c>outcome unknown</c>.</summary>
    Unknown,

    /// <summary>The connection ended before the answer did.</summary>
    Broken,

    /// <summary>2xx with other bytes.</summary>
    Garbled,

    /// <summary>No answer in a time in which there must be one.</summary>
    Silent,

    /// <summary>An answer that nobody should give.</summary>
    Odd,
}

/// <param name="Write">What was sent.</param>
/// <param name="Outcome">What came of it.</param>
/// <param name="Detail">For people.</param>
internal sealed record WireResult(WireWrite Write, WireOutcome Outcome, string Detail);

/// <summary>Clients of all dialects, so many writes at once, each by a plan of its own.</summary>
internal sealed class WireLoad : IDisposable
{
    private const int AtOnce = 24;
    private const int ConnectionsEach = 6;

    /// <summary>Longer than any hold, drain and lease together.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<(int Node, Dialect Dialect, bool ThroughRelay), WireClient> _clients = new();
    private readonly WireCluster _cluster;
    private readonly int _seed;

    public WireLoad(WireCluster cluster, int seed)
    {
        _cluster = cluster;
        _seed = seed;
    }

    public ConcurrentQueue<WireResult> Results { get; } = new();

    /// <summary>Writes the numbers from one on to another.</summary>
    public Task WriteAsync(int from, int count) => Parallel.ForEachAsync(
        Enumerable.Range(from, count), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (id, _) =>
        {
            var write = new WireWrite(_seed, id);
            var client = _clients.GetOrAdd(
                (write.Node, write.Dialect, write.ThroughRelay),
                key => new WireClient(key.Dialect, _cluster.UrlOf(key.Node, key.Dialect, key.ThroughRelay), ConnectionsEach, _patience));
            Results.Enqueue(await WriteAsync(client, write));
        });

    public void Dispose()
    {
        foreach (var client in _clients.Values)
        {
            client.Dispose();
        }
    }

    private static async Task<WireResult> WriteAsync(WireClient client, WireWrite write)
    {
        try
        {
            using var answer = await client.SendAsync(write.Request(), write.Chunked);
            var body = await answer.Content.ReadAsByteArrayAsync();
            return Judge(write, answer, body);
        }
        catch (TaskCanceledException silence)
        {
            return new WireResult(write, WireOutcome.Silent, silence.Message);
        }
        catch (HttpRequestException failure)
        {
            return new WireResult(write, WireOutcome.Broken, failure.Message);
        }
    }

    private static WireResult Judge(WireWrite write, HttpResponseMessage answer, byte[] body)
    {
        if (answer.IsSuccessStatusCode)
        {
            return write.Answer.Span.SequenceEqual(body)
                ? new WireResult(write, WireOutcome.Acknowledged, "")
                : new WireResult(write, WireOutcome.Garbled, $"{body.Length} bytes");
        }

        var text = $"{(int)answer.StatusCode} {Encoding.UTF8.GetString(body)}";
        var marked = answer.Header("X-Base-Not-Executed") is not null;
        return answer.StatusCode switch
        {
            HttpStatusCode.ServiceUnavailable when marked => new WireResult(write, WireOutcome.Refused, text),
            HttpStatusCode.BadGateway when !marked && text.Contains("outcome unknown", StringComparison.Ordinal) =>
                new WireResult(write, WireOutcome.Unknown, text),
            _ => new WireResult(write, WireOutcome.Odd, text + (marked ? " marked as not executed" : "")),
        };
    }
}
