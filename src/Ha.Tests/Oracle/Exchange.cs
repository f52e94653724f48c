using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Ha.Tests.Support;

namespace Ha.Tests.Oracle;

/// <summary>One case on its way through one node, and the facts that client and leader saw. Thread-safe.</summary>
internal sealed class Exchange(OracleCase script)
{
    /// <summary>How long anybody waits for anything; what does not come by then is a fact of its own.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public const string End = "client: end", Whole = "whole", BrokenOff = "broken off", Silence = "silence";
    public const string HeadFirst = "client: head before body", UploadFirst = "leader: first half before the rest";

    private static readonly TimeSpan _step = TimeSpan.FromSeconds(1);

    // They come and go with the time and with who listens in this process.
    private static readonly string[] _left = ["Date", "traceparent", "tracestate", "baggage"];

    private readonly ConcurrentDictionary<string, string> _facts = new(StringComparer.Ordinal);
    private int _runs;

    public OracleCase Case => script;

    /// <summary>The client has the answer's head.</summary>
    public TaskCompletionSource HeadSeen { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The client has the first of the answer's body.</summary>
    public TaskCompletionSource BodySeen { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The leader has the first of the request's body.</summary>
    public TaskCompletionSource UploadSeen { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The leader has said all that it will say.</summary>
    public TaskCompletionSource Served { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>How often the leader had a request that it would have executed.</summary>
    public int Runs => Volatile.Read(ref _runs);

    public void Note(string fact, string value) => _facts[fact] = value;

    public void Note(string fact, int value) => Note(fact, value.ToString(CultureInfo.InvariantCulture));

    /// <summary>One fact for each name, with its lines in their order. Their order among each other means nothing.</summary>
    public void Note(string fact, IEnumerable<HeaderLine> lines)
    {
        foreach (var group in lines.GroupBy(line => line.Name.ToLowerInvariant()))
        {
            if (!_left.Contains(group.Key, StringComparer.OrdinalIgnoreCase))
            {
                Note($"{fact} {group.Key}", string.Join('\n', group.Select(line => Shown(line.Value))));
            }
        }
    }

    public void NoteBody(string fact, MemoryStream body) =>
        Note(fact, Shown(Encoding.Latin1.GetString(body.GetBuffer().AsSpan(0, (int)body.Length))));

    /// <returns>True for the first.</returns>
    public bool CountRun()
    {
        var runs = Interlocked.Increment(ref _runs);
        Note("leader: runs", runs);
        return runs == 1;
    }

    /// <summary>
    /// All facts. Of an answer that was not whole only how it ended: how much of it got through before is a matter of moments.
    /// </summary>
    public IEnumerable<KeyValuePair<string, string>> Outcome() => string.Equals(_facts[End], Whole, StringComparison.Ordinal)
        ? _facts
        : _facts.Where(fact => fact.Key is End or HeadFirst or "client: error" || fact.Key.StartsWith("leader:", StringComparison.Ordinal));

    /// <summary>Waits for the other end, no longer than a moment, and notes whether it came.</summary>
    public async Task StepAsync(Task other, string fact)
    {
        await Task.WhenAny(other, Task.Delay(_step));
        Note(fact, other.IsCompletedSuccessfully ? "yes" : "no");
    }

    private static string Shown(string text) => text.Length <= 300
        ? text
        : string.Create(
            CultureInfo.InvariantCulture, $"{text.Length} bytes, {Convert.ToHexString(SHA256.HashData(Encoding.Latin1.GetBytes(text)))[..16]}");
}
