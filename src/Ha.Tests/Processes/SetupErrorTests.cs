using System.Collections.Concurrent;
using Ha.Cli.Cluster;
using Ha.Cli.Processes;
using Ha.Tests.Support;
using Xunit.Abstractions;

namespace Ha.Tests.Processes;

/// <summary>docs/setup-errors.md: each of these set-ups of the real example is named, with what to do about it.</summary>
[Collection(ProcessTests.Name)]
public class SetupErrorTests(ITestOutputHelper output)
{
    private const int AtOnce = 3;

    /// <summary>From the start of the process, on a machine with time for it.</summary>
    private static readonly TimeSpan _soon = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(1);

    private static readonly WrongSetup _sound = new("nothing", [], "Node a takes part in the election", "") { Event = 1401 };

    [Trait("Category", "Long")]
    [Fact]
    public async Task Each_is_named_within_five_seconds_with_its_remedy_where_it_is_wrong()
    {
        // Where even sound nodes take long to say that they are there, all others may.
        var usual = (await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => TryAsync(_sound)))).Max(sound => sound.Took);
        var limit = usual * 4 > _soon ? usual * 4 : _soon;
        output.WriteLine($"{usual.TotalSeconds:0.0} s for a sound node, so at most {limit.TotalSeconds:0.0} s");
        var failures = new ConcurrentQueue<string>();
        var late = new ConcurrentQueue<WrongSetup>();
        await Parallel.ForEachAsync(WrongSetups.All, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (setup, _) =>
        {
            var (took, failure) = await TryAsync(setup);
            if (failure is not null)
            {
                failures.Enqueue($"{setup.What}: {failure}");
            }
            else if (took > limit)
            {
                late.Enqueue(setup);
            }
        });

        // What was late beside others is tried again by itself: then only its own code is late.
        foreach (var setup in late)
        {
            var (took, failure) = await TryAsync(setup);
            if (failure is not null || took > limit)
            {
                failures.Enqueue($"{setup.What}: {failure ?? $"took {took}"}");
            }
        }

        Assert.True(WrongSetups.All.Count >= 40);
        Assert.True(failures.IsEmpty, string.Join("\n\n", failures));
    }

    [Fact]
    public void The_documented_rows_are_the_tried_ones()
    {
        var table = Repository.Read("docs/setup-errors.md").Split('\n', StringSplitOptions.TrimEntries)
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(1);
        Assert.Equal(string.Join('\n', WrongSetups.All.Select(setup => setup.Row)), string.Join('\n', table));
    }

    /// <returns>How long it took until all was said, and what went wrong.</returns>
    private static async Task<(TimeSpan Took, string? Failure)> TryAsync(WrongSetup setup)
    {
        var ports = FreePorts.Find(3);
        var began = 0L;
        var said = new TaskCompletionSource<TimeSpan>(TaskCreationOptions.RunContinuationsAsynchronously);
        var header = "";
        await using var b = new NodeProcess("b", WrongSetup.Url(ports[1]), ExampleCluster.Example, Environment('b', setup.B ?? [], ports));
        await using var a = new NodeProcess("a", WrongSetup.Url(ports[0]), ExampleCluster.Example, Environment('a', setup.Set, ports))
        {
            OnLine = line =>
            {
                if (setup.IsNamedIn(line, header, ports))
                {
                    said.TrySetResult(TimeProvider.System.GetElapsedTime(Volatile.Read(ref began)));
                }

                header = line;
            },
        };
        if (setup.B is not null)
        {
            b.Start();
            await Eventually.True(() => b.Output.Any(line => line.Contains("[140", StringComparison.Ordinal)));
        }

        Volatile.Write(ref began, TimeProvider.System.GetTimestamp());
        a.Start();
        try
        {
            var took = await said.Task.WaitAsync(_patience);
            if (setup.Event is null)
            {
                await a.WhenDead.WaitAsync(_patience);
            }

            return (took, (setup.Event is null) == (a.ExitCode is > 0) ? null : $"exit code {a.ExitCode}");
        }
        catch (TimeoutException)
        {
            return (_patience, $"not named but\n{string.Join('\n', a.Output)}");
        }
    }

    private static Dictionary<string, string?> Environment(char id, string[] changes, IReadOnlyList<int> ports)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["BASE_NODE_ID"] = $"{id}",
            ["BASE_LOCAL_TARGET"] = $"{{{id}}}",
            ["BASE_PEERS"] = "{a},{b},{c}",
            ["BASE_CLUSTER_SECRET"] = "one secret for all of these nodes",
            ["ConnectionStrings__Notes"] = "Data Source=:memory:",
        };
        foreach (var change in changes)
        {
            var at = change.IndexOf('=', StringComparison.Ordinal);
            environment[change[..at]] = at + 1 == change.Length ? null : change[(at + 1)..];
        }

        return environment.ToDictionary(pair => pair.Key, pair => pair.Value is { } value ? WrongSetup.Fill(value, ports) : null, StringComparer.Ordinal);
    }
}
