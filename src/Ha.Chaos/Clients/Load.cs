using System.Collections.Concurrent;
using System.Text.Json;
using Ha.Chaos.History;

namespace Ha.Chaos.Clients;

/// <summary>
/// Calls the cluster at a fixed rate whether or not earlier calls were answered, in turn through all nodes, and writes
/// down what each came to. It stops calling while too many have no answer.
/// </summary>
internal sealed class Load(HistoryWriter history, IReadOnlyList<string> nodes, IReadOnlyList<(IClient Client, int Weight)> clients, int seed, TimeProvider clock)
{
    private const int MaxOpen = 1000;
    private const int Registers = 6;
    private static readonly TimeSpan _tick = TimeSpan.FromMilliseconds(5);
    private readonly ConcurrentDictionary<long, Task> _open = new();
    private readonly long[] _registers = new long[Registers];
    private long _calls;
    private long _texts;

    /// <summary>Makes the registers. The cluster has to work for that.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        for (var i = 0; i < Registers; i++)
        {
            while (_registers[i] == 0)
            {
                var text = NewText();
                var answer = await CallAsync(clients[0].Client, i % nodes.Count, OperationKind.Put, $"r{i}", text, "/notes", null, cancellationToken);
                _registers[i] = answer.NoteId;
                await Task.Delay(_tick, clock, cancellationToken);
            }
        }
    }

    /// <summary>Runs until stopped, then waits for the calls that are still open.</summary>
    public async Task RunAsync(int perSecond, CancellationToken stop)
    {
        var random = new Random(seed);
        var begin = clock.GetTimestamp();
        var due = 0L;
        using var timer = new PeriodicTimer(_tick, clock);
        while (!stop.IsCancellationRequested)
        {
            var upTo = (long)(clock.GetElapsedTime(begin).TotalSeconds * perSecond);
            for (; due < upTo; due++)
            {
                if (_open.Count < MaxOpen)
                {
                    Start(random);
                }
            }

            await timer.WaitForNextTickAsync(CancellationToken.None);
        }

        await Task.WhenAll(_open.Values);
    }

    /// <summary>Whether a write through each node is acknowledged now.</summary>
    public async Task<bool> WorksThroughAllAsync(CancellationToken cancellationToken)
    {
        var answers = await Task.WhenAll(nodes.Select((_, node) =>
            CallAsync(clients[0].Client, node, OperationKind.Add, "", NewText(), "/notes", null, cancellationToken)));
        return answers.All(a => a.Outcome == Outcome.Ok);
    }

    /// <summary>Reads all notes, page by page, from whichever node answers.</summary>
    public async Task ReadAllAsync(HttpClient http, CancellationToken cancellationToken)
    {
        var after = 0L;
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                var asked = history.Now;
                using var json = JsonDocument.Parse(await http.GetStringAsync($"{nodes[attempt % nodes.Count]}/notes?after={after}", cancellationToken));
                if (json.RootElement.GetArrayLength() == 0)
                {
                    return;
                }

                foreach (var note in json.RootElement.EnumerateArray())
                {
                    after = note.GetProperty("id").GetInt64();
                    history.Add(new Row(after, note.GetProperty("text").GetString()!, note.GetProperty("node").GetString()!,
                        note.GetProperty("epoch").GetInt64(), asked));
                }
            }
            catch (HttpRequestException) when (attempt < 100)
            {
                await Task.Delay(_tick * 20, clock, cancellationToken);
            }
        }
    }

    private void Start(Random random)
    {
        var call = ++_calls;
        var client = Draw(random);
        var (node, register, kind) = ((int)(call % nodes.Count), random.Next(Registers), random.Next(3));
        var withKey = random.Next(2) == 0;
        var task = RunOneAsync();
        _open[call] = task;
        _ = task.ContinueWith(_ => _open.TryRemove(call, out var _), TaskScheduler.Default);

        async Task RunOneAsync()
        {
            await Task.Yield();
            var text = NewText();
            var key = withKey ? text : null;
            _ = kind switch
            {
                0 => await CallAsync(client, node, OperationKind.Add, "", text, "/notes", key, CancellationToken.None),
                1 => await CallAsync(client, node, OperationKind.Put, $"r{register}", text, $"/notes/{_registers[register]}", key, CancellationToken.None),
                _ => await CallAsync(client, node, OperationKind.Get, $"r{register}", "", $"/notes/{_registers[register]}", null, CancellationToken.None),
            };
        }
    }

    private async Task<Answer> CallAsync(
        IClient client, int node, OperationKind kind, string key, string text, string path, string? idempotencyKey, CancellationToken cancellationToken)
    {
        var method = kind == OperationKind.Get ? HttpMethod.Get : path is "/notes" ? HttpMethod.Post : HttpMethod.Put;
        var json = kind == OperationKind.Get ? null : JsonSerializer.Serialize(new { text });
        var invoked = history.Now;
        var answer = await client.SendAsync(nodes[node], method, path, json, idempotencyKey, cancellationToken);
        var completed = history.Now;
        if (kind == OperationKind.Get && answer.Status == 404)
        {
            // A register that is gone: for the checker a value that nobody wrote.
            answer = answer with { Outcome = Outcome.Ok, Text = "(gone)" };
        }

        history.Add(new Operation(client.Name, nodes[node], kind, key, kind == OperationKind.Get ? answer.Text : text, invoked, completed,
            answer.Outcome, answer.Status, answer.NoteId, answer.Node, answer.Epoch, answer.Why));
        return answer;
    }

    private string NewText() => $"w{Interlocked.Increment(ref _texts)}";

    private IClient Draw(Random random)
    {
        var at = random.Next(clients.Sum(c => c.Weight));
        foreach (var (client, weight) in clients)
        {
            at -= weight;
            if (at < 0)
            {
                return client;
            }
        }

        return clients[0].Client;
    }
}
